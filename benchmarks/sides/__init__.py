"""What is compared: one module per way to do the work, each run by `python -m`, each printing one line of JSON."""
