"""`python -m workers.ml.fetch [NAME...]`: lets Keras download published weights and ImageNet's class names.

A process of its own, so that callers need no TensorFlow, and so that Keras can be given a home of its own for the time
of the download: a file appears in the cache when it is complete and Keras has used it, or not at all.

Ends with 0; with 2 where a name is unknown or has no published weights; with 3 where a file cannot be had, the reason
on standard error.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path

from core.errors import UsageError, WeightsError
from workers.ml.catalog import BackboneSpec, get_published_backbone
from workers.ml.weights import (
    CACHE_FOLDER,
    CLASS_INDEX_FILE,
    EXIT_MISSING,
    KERAS_HOME_VARIABLE,
    cache_path,
    describe_missing,
    keras_home,
    weights_path,
)

# A server that says nothing for this long is taken for gone; Keras itself would wait for ever.
SILENCE_TIMEOUT_S = 30.0
EXIT_USAGE = 2


def main(names: Sequence[str]) -> int:
    """Fetch what is missing for these backbones.

    Returns:
        The exit code.
    """
    try:
        fetch([get_published_backbone(name) for name in names])
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except WeightsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_MISSING
    return 0


def fetch(specs: Sequence[BackboneSpec]) -> None:
    """Download what is missing of some backbones' weights and of the class index.

    Keras must not have been imported in this process.

    Raises:
        WeightsError: a file cannot be had.
    """
    uses: dict[Path, Callable[[], None]] = {weights_path(spec): partial(_build, spec) for spec in specs}
    uses[cache_path(CLASS_INDEX_FILE)] = _decode
    missing = {path: use for path, use in uses.items() if not path.is_file()}
    for path in missing:
        with _failures_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    if not missing:
        return
    socket.setdefaulttimeout(SILENCE_TIMEOUT_S)
    with (
        _quiet_native_code(),
        tempfile.TemporaryDirectory(prefix=".fetching-", dir=keras_home(), ignore_cleanup_errors=True) as home,
    ):
        _import_keras(home)
        for path, use in missing.items():
            with _failures_named(path):
                use()
                (Path(home) / CACHE_FOLDER / path.name).replace(path)


def _build(spec: BackboneSpec) -> None:
    from workers.ml.backbones import import_name  # noqa: PLC0415 - numpy comes with it

    import_name(spec.constructor)(weights="imagenet", input_shape=(*spec.size_hw, 3), **spec.kwargs)


def _decode() -> None:
    import numpy as np  # noqa: PLC0415 - only needed where something is missing
    from keras.applications.imagenet_utils import decode_predictions  # noqa: PLC0415 - TensorFlow comes with it

    # Keras gives its class index to nobody, but reads it to name the classes of a prediction.
    decode_predictions(np.zeros((1, 1000), np.float32))


def _import_keras(home: str) -> None:
    """Import Keras so that it takes a folder for its home, without leaving that folder in the environment."""
    before = os.environ.get(KERAS_HOME_VARIABLE)
    os.environ[KERAS_HOME_VARIABLE] = home
    # The weights only have to be read once; that needs no GPU, which a worker may be using.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras  # noqa: F401, PLC0415 - for what importing it does

    if before is None:
        del os.environ[KERAS_HOME_VARIABLE]
    else:
        os.environ[KERAS_HOME_VARIABLE] = before


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Turn whatever keeps Keras from a file into an error that names the file."""
    try:
        yield
    except (OSError, ValueError, HTTPException) as error:
        raise WeightsError(describe_missing(path, error)) from error
    except Exception as error:
        # Keras reports a failed download as a plain `Exception`; anything narrower is a fault and stays one.
        if type(error) is not Exception:
            raise
        raise WeightsError(describe_missing(path, error)) from error


@contextmanager
def _quiet_native_code() -> Iterator[None]:
    """Keep TensorFlow's libraries, which write to the file descriptor itself, off standard error."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
