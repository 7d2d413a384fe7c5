"""What a worker tells Prometheus: its processes count into one folder, and whoever supervises them shows the sums."""
