"""(g) Labelyard end to end, from files to rows in SQL, embedded: `labelyard label FOLDER` without a server."""

import sys
from pathlib import Path

from benchmarks import labelyard
from benchmarks.measurement import Measurement, print_measurements


def measure(folder: Path) -> Measurement:
    """Label a folder in a new state folder."""
    with labelyard.fresh_home() as env:
        url = labelyard.sqlite_url(env)
        return labelyard.label(folder, env=env, database_url=url, options=("--model", labelyard.MODEL))


if __name__ == "__main__":
    print_measurements({"embedded": measure(Path(sys.argv[1]))})
