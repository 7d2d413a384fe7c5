"""One image, the whole process: what somebody waits who types the command. The notebook's script beside it.

Both have been run before: the network is converted, the state folder is there, Python's bytecode is written.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import labelyard
from benchmarks.measurement import Measurement, files_of, print_measurements


def main(folder: Path) -> None:
    """Label the first image to make the state folder, then another one each way."""
    known, image = files_of(folder)[:2]
    with labelyard.fresh_home() as env:
        command = [*labelyard.PROGRAM, "label"]
        _time([*command, str(known), "--model", labelyard.MODEL], env)
        notebook = _time([sys.executable, "-m", "benchmarks.sides.notebook", str(image)], env)
        ours = _time([*command, str(image), "--model", labelyard.MODEL], env)
    print_measurements({"one_notebook": notebook, "one_labelyard": ours})


def _time(command: Sequence[str], env: Mapping[str, str]) -> Measurement:
    started_at_s = time.monotonic()
    subprocess.run(command, env=env, check=True, capture_output=True)  # noqa: S603 - our own
    wall_s = time.monotonic() - started_at_s
    return Measurement(1, wall_s, 0.0, wall_s)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
