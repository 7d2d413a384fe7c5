"""The orchestrator: from a request to a job in the ledger, to its end, to a file. Never imports TensorFlow."""
