"""`python -m workers.ml.fetch [NAME...]`: lets Keras download published weights and ImageNet's class names.

A process of its own, so that callers need no TensorFlow, and so that Keras can be given a folder of its own for the time
of the download: a file appears in the cache when it is complete and Keras has loaded it, or not at all.

Ends with 0; with 2 where a name is unknown; with 3 where a file cannot be had, the reason on standard error.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import UnknownModelError, WeightsError
from workers.ml.catalog import BackboneSpec, get_backbone
from workers.ml.weights import (
    CACHE_FOLDER,
    CLASS_INDEX_FILE,
    EXIT_MISSING,
    KERAS_HOME_VARIABLE,
    cache_path,
    describe_missing,
    is_cached,
    keras_home,
    weights_path,
)

# A server that says nothing for this long is taken for gone; Keras itself would wait for ever.
SILENCE_TIMEOUT_S = 30.0
EXIT_USAGE = 2


def main(names: Sequence[str]) -> int:
    """Fetch what is missing; returns the exit code."""
    try:
        specs = [get_backbone(name) for name in names]
        fetch(specs)
    except UnknownModelError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except WeightsError as error:
        print(error, file=sys.stderr)
        return EXIT_MISSING
    return 0


def fetch(specs: Sequence[BackboneSpec]) -> None:
    """Download what is missing of some backbones' weights and of the class index. Keras must not be imported yet.

    Raises:
        WeightsError: a file cannot be had.
    """
    steps: list[tuple[Path, Callable[[], None]]] = []
    if not cache_path(CLASS_INDEX_FILE).is_file():
        steps.append((cache_path(CLASS_INDEX_FILE), _read_class_index))
    steps += [(weights_path(spec), lambda spec=spec: _build(spec)) for spec in specs if not is_cached(spec)]
    for path, use in steps:
        with _staging(path) as folder, _quiet_native_code():
            try:
                use()
            except Exception as error:
                # Keras says that a download failed with a plain `Exception`; anything narrower says something else.
                if type(error) is not Exception:
                    raise
                raise WeightsError(describe_missing(path, error)) from error
            (folder / path.name).replace(path)
