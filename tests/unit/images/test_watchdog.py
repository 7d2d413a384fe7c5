"""Noticing that an image is read or decoded for too long."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from core.items import MemberLocator
from core.jobs import Claim
from core.types import JobKind
from workers.images.loading import Images
from workers.images.watchdog import Watchdog

CLAIM = Claim(
    JobKind.LABEL,
    job_id=1,
    chunk_id=7,
    attempt=1,
    first_ordinal=0,
    last_ordinal=3,
    num_images=4,
    redo=False,
    deaths=0,
    worker_id="anna",
)
PATIENCE_S = 60


class SlowImages(Images):
    """Every image takes until it is told to go on."""

    def __init__(self) -> None:
        self.going_on = threading.Event()

    def read(self, locator):
        del locator
        assert self.going_on.wait(PATIENCE_S)
        return b"read"

    def fill(self, data, slots):
        del data, slots
        assert self.going_on.wait(PATIENCE_S)

    def close(self):
        pass


def start(act) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def test_an_image_that_hangs_is_told_of_with_its_chunk():
    for act in (lambda images: images.read(None), lambda images: images.fill(b"", {})):
        slow, hung, told = SlowImages(), [], threading.Event()
        watchdog = Watchdog(0.2, lambda claim, hung=hung, told=told: (hung.append(claim), told.set()))
        watched = watchdog.watched(slow, CLAIM)
        thread = start(lambda act=act, watched=watched: act(watched))
        assert told.wait(PATIENCE_S)
        assert hung == [CLAIM]
        slow.going_on.set()
        thread.join(PATIENCE_S)
        watchdog.close()


def test_a_member_of_an_archive_that_is_long_to_unpack_is_no_hang():
    slow, hung = SlowImages(), []
    watchdog = Watchdog(0.2, hung.append)
    watched = watchdog.watched(slow, CLAIM)
    thread = start(lambda: watched.read(MemberLocator("a.tar.xz", "a.jpg", 0, 1)))
    time.sleep(1)
    assert hung == []
    slow.going_on.set()
    thread.join(PATIENCE_S)
    watchdog.close()


def test_many_images_one_after_the_other_are_no_hang():
    slow, hung = SlowImages(), []
    slow.going_on.set()
    watchdog = Watchdog(0.2, hung.append)
    watched = watchdog.watched(slow, CLAIM)
    ends_at_s = time.monotonic() + 1
    while time.monotonic() < ends_at_s:
        assert watched.read(None) == b"read"
        watched.fill(b"", {})
    assert hung == []
    assert not watchdog.entries
    watchdog.close()


def test_a_process_that_was_stopped_for_long_is_not_taken_for_one_that_hangs():
    process = run_in_process(
        "watchdog = Watchdog(4.0, lambda claim: print('hung', flush=True))\n"
        "watched = watchdog.watched(slow, CLAIM); thread = start(lambda: watched.read(None))\n"
        "print('reading', flush=True); sys.stdin.readline(); slow.going_on.set(); thread.join(); print('read')\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(6)
    os.kill(process.pid, signal.SIGCONT)
    said, _ = process.communicate("go on\n", timeout=PATIENCE_S)
    assert said == "read\n"


def test_a_process_whose_python_is_held_up_by_a_decoder_ends():
    process = run_in_process(
        "watchdog.MAX_STANDSTILL_S = 2.0; pause = ctypes.PyDLL(None).pause\n"
        "class Hanging(SlowImages):\n"
        "    def read(self, locator): time.sleep(3); pause()\n"
        "Watchdog(60.0, print).watched(Hanging(), CLAIM).read(None)\n"
    )
    said, problem = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, "it got over the three seconds in which Python could go on, and not over the rest"
    assert "in read" in problem
    assert said == ""


def run_in_process(script: str) -> subprocess.Popen[str]:
    imports = (
        "import ctypes, sys, time; from workers.images import watchdog; from workers.images.watchdog import Watchdog\n"
        "from test_watchdog import CLAIM, SlowImages, start; slow = SlowImages()\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-c", imports + script],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
