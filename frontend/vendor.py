# ruff: noqa: INP001 - a script, not a package
"""Copies what the dashboard loads out of npm's packages, with each licence, to where it is served from.

Its copies are in the repository, so that neither installing nor running Labelyard needs Node. `make vendor` runs npm,
which checks each package against the lock file, and then this.
"""

import hashlib
import json
import shutil
from pathlib import Path

HERE = Path(__file__).parent
SERVED = HERE.parent / "orchestrator/dashboard/static/vendor"
FOR_TESTS = HERE.parent / "tests/vendor"
# By package: where its files go, and which those are.
FILES = {
    "htmx.org": (SERVED / "htmx", ("dist/htmx.min.js", "LICENSE")),
    "uplot": (SERVED / "uplot", ("dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE")),
    "axe-core": (FOR_TESTS / "axe-core", ("axe.min.js", "LICENSE")),
}


def copy() -> None:
    """Copy all of it, and note which version each file is of."""
    for package, (target, files) in FILES.items():
        source = HERE / "node_modules" / package
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in files:
            shutil.copyfile(source / name, target / Path(name).name)
        version = json.loads((source / "package.json").read_text())["version"]
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(target.iterdir())}
        note = {"package": package, "version": version, "sha256": hashes}
        (target / "vendored.json").write_text(json.dumps(note, indent=2) + "\n")


if __name__ == "__main__":
    copy()
