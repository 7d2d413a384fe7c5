"""`make fuzz`: mutated images by the thousand through the program; ends with 1 if they harm more than their rows."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from fuzz.running import fuzz, summary
from program import Cli

MAX_WORKER_BYTES = 3 * 1024**3


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="how many; 10,000 if not given")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        state = Path(name) / "state"
        state.mkdir()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("LABELYARD_")}
        cli = Cli(inherited | {"LABELYARD_HOME": str(state)}, Path(name))
        try:
            findings = fuzz(cli, seed=arguments.seed, number=arguments.images)
        finally:
            cli.close()
    sys.stdout.write(f"{summary(findings)}\n")
    problems = findings.problems(max_bytes=MAX_WORKER_BYTES)
    for problem in problems:
        sys.stdout.write(f"FOUND: {problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
