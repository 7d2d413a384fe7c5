"""The orchestrator: sources, planning, submitting, watching, exporting, and the command line. Never imports TensorFlow."""
