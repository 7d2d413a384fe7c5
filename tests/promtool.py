"""Asking Prometheus' own tool whether it can read what we write. Knows nothing of what that is."""

import shutil
import subprocess

from giving_up import give_up


def promtool(*arguments: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run promtool; where it is not installed, the test is skipped, or fails under CI."""
    tool = shutil.which("promtool")
    if tool is None:
        give_up("No promtool on the PATH; Debian's package `prometheus` has it.")
    return subprocess.run([tool, *arguments], input=given, capture_output=True, timeout=60, check=False)


def require_clean(*arguments: str, given: bytes | None = None) -> None:
    """Fail, in promtool's words, if it has anything to say."""
    done = promtool(*arguments, given=given)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
