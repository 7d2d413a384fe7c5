"""What an orchestrator tells Prometheus: the state of the ledger at the moment of asking, and what it did itself."""
