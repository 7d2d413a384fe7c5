"""Downloading published files with Keras, in real child processes, from a server on this machine or from none."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from web_servers import Quiet, serving

from core.errors import WeightsError
from workers.ml.catalog import get_backbone
from workers.ml.weights import EXIT_MISSING, ensure_weights, imagenet_labels, is_cached

SPEC = get_backbone("mobilenet-0.25")
# Nothing listens on the discard port, so that every download fails at once, with or without a network.
UNREACHABLE = "http://127.0.0.1:9"
# Sends every https request of the process to a server on this machine, then fetches.
FETCH_FROM = """
import sys, urllib.request
class FromServer(urllib.request.BaseHandler):
    handler_order = 100
    def https_open(self, request):
        return self.parent.open(sys.argv[1] + request.selector.rpartition("/")[2])
urllib.request.install_opener(urllib.request.build_opener(FromServer))
from workers.ml.fetch import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty Keras home, not yet there."""
    home = tmp_path / "new" / "keras"
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


class Folder(Quiet, SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""


class CutShort(Folder):
    """Promises more bytes than it sends."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"half of it")


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a server for a kind of handler; returns its address."""
    with ExitStack() as servers:
        yield lambda handler: f"{servers.enter_context(serving(handler))}/"


def fetch_from(address: str, *names: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-c", FETCH_FROM, address, *names],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_without_a_network_the_error_names_the_file_its_address_and_where_to_put_it(home, monkeypatch):
    for variable in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, UNREACHABLE)

    with pytest.raises(WeightsError) as caught:
        ensure_weights(SPEC)

    message = str(caught.value)
    assert message.startswith("mobilenet_2_5_224_tf.h5 is missing and cannot be downloaded: ")
    assert "/keras-applications/mobilenet/mobilenet_2_5_224_tf.h5" in message
    assert f"put the file into {home / 'models'} " in message
    assert "KERAS_HOME" in message
    assert "\n" not in message
    assert files_below(home) == set()


def test_a_download_that_is_cut_short_leaves_no_file_behind(home, serve):
    received = fetch_from(serve(CutShort), SPEC.name)

    assert received.returncode == EXIT_MISSING
    assert received.stderr.startswith("mobilenet_2_5_224_tf.h5 is missing and cannot be downloaded: ")
    assert files_below(home) == set()
    assert not is_cached(SPEC)


def test_what_keras_downloads_is_in_the_cache_and_nothing_else_is(home, serve, test_data):
    published = test_data / "keras" / "models"

    received = fetch_from(serve(partial(Folder, directory=published)), SPEC.name)

    assert (received.returncode, received.stderr) == (0, "")
    assert files_below(home) == {SPEC.weights_file, "imagenet_class_index.json"}
    assert (home / "models" / SPEC.weights_file).read_bytes() == (published / SPEC.weights_file).read_bytes()
    assert imagenet_labels()[281].label_id == "n02123045"
    ensure_weights(SPEC)


def test_a_home_that_cannot_be_made_is_an_error_that_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "file"))

    with pytest.raises(WeightsError, match=r"mobilenet_2_5_224_tf\.h5 is missing .*Not a directory"):
        ensure_weights(SPEC)


def test_a_name_that_is_not_in_the_catalogue_is_wrong_usage(home):
    received = subprocess.run(
        [sys.executable, "-m", "workers.ml.fetch", "mobilnet"], capture_output=True, text=True, check=False
    )

    assert received.returncode == 2
    assert "Nearest: mobilenet" in received.stderr
    assert not home.exists()
