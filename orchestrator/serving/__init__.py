"""The orchestrator as a process that stays: it plans, sweeps, ticks and concludes for whoever does not wait."""
