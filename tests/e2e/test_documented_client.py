"""The program that docs/reference/python-client.md shows does what the page says, against a real server."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from documents import ROOT, read_blocks
from program import Cli, read_csv, wait_for
from server_process import HOST, free_port

PAGE = ROOT / "docs" / "reference" / "python-client.md"


def test_the_program_that_is_shown_labels_a_folder_on_a_server(cli: Cli, photographs: Callable[..., Path]):
    photographs(12)
    address = f"{HOST}:{free_port()}"
    cli.env["LABELYARD_URL"] = f"http://{address}"
    server = cli.start("up", "--listen", address)
    wait_for(lambda: answers(f"http://{address}"), "the server")
    (program,) = [block.text for block in read_blocks(PAGE) if block.language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cli.cwd, env=cli.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first == "done 12 0"
    assert last.startswith("404 There is no job 99999.")
    assert len(read_csv(cli.cwd / "labels.csv")) == 12
    server.send_signal(signal.SIGINT)
    assert server.wait(60) == 0


def answers(url: str) -> bool:
    """Whether a server is there and ready."""
    try:
        return httpx.get(f"{url}/readyz").is_success
    except httpx.TransportError:
        return False
