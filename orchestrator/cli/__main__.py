"""`python -m orchestrator.cli` is the same as `labelyard`."""

from orchestrator.cli.main import main

main()
