"""Model files that `labelyard models import` refuses: each kind by name, unopened, with nothing left behind."""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from core.errors import DamagedModelError, LabelyardError, UsageError
from core.types import ResizeMode, TrainMode
from db.database import Database
from db.model_tables import ArtifactPartTable, ModelTable
from orchestrator.carrying import import_model
from workers.ml.catalog import get_backbone
from workers.ml.exports.exchange_file import ClassDescription, ModelDescription, write_exchange
from workers.ml.tensors import to_bytes

NUM_FEATURES = get_backbone("mobilenet-0.25").feature_size
RECORD = {
    "options": {},
    "num_trainable": 1,
    "num_frozen": 1,
    "num_epochs": 1,
    "best_epoch": 1,
    "num_images": {},
    "num_bad": 0,
    "num_left_out": 0,
    "num_features_computed": 0,
    "num_features_reused": 0,
    "duration_s": 1.0,
    "zero_shot": None,
    "notes": [],
}


def description(**changes: object) -> ModelDescription:
    fields = {
        "name": "parts",
        "version": 1,
        "backbone": "mobilenet-0.25",
        "mode": TrainMode.HEAD,
        "resize": ResizeMode.CROP,
        "temperature": 1.0,
        "fingerprint": "f" * 64,
        "training": RECORD,
        "labels": [ClassDescription(label=name, label_id=name) for name in ("Hat", "Cube")],
        "evaluations": [],
        "epochs": [],
    }
    return ModelDescription.model_validate(fields | changes)


def head(**changes: np.ndarray) -> dict[str, np.ndarray]:
    return {"weights": np.zeros((NUM_FEATURES, 2), np.float32), "bias": np.zeros(2, np.float32)} | changes


class Marker:
    """What a pickle does to whoever loads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self._path),)


def h5(path: Path, marker: Path) -> None:
    del marker
    import h5py  # noqa: PLC0415 - what Keras writes with

    with h5py.File(path, "w") as file:
        file["weights"] = np.zeros(4)


def keras_with_a_lambda(path: Path, marker: Path) -> None:
    """As Keras writes it: a Lambda's code is marshalled into the configuration; here it is named, which is enough."""
    code = {"class_name": "__lambda__", "config": {"code": f"__import__('os').mkdir({str(marker)!r})"}}
    layer = {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "lambda", "function": code}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.13.0"}))
        file.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}}))
        file.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")


def pickled(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Marker(marker)))


def pickled_long_ago(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps([Marker(marker)], protocol=0))


def torch_file(path: Path, marker: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", pickle.dumps(Marker(marker)))
        file.writestr("model/version", "3")


def npz(path: Path, marker: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, weights=np.array([Marker(marker)], dtype=object))


def models_left(ledger: Database) -> int:
    with ledger.read() as session:
        num_models = session.scalar(select(func.count()).select_from(ModelTable))
        num_parts = session.scalar(select(func.count()).select_from(ArtifactPartTable))
    return int(num_models or 0) + int(num_parts or 0)


def refuse(ledger: Database, path: Path, kind: type[LabelyardError] = DamagedModelError) -> str:
    with pytest.raises(kind) as caught:
        import_model(ledger, path, name=None)
    assert models_left(ledger) == 0
    assert path.name in str(caught.value)
    return str(caught.value)


def test_what_another_labelyard_exported_is_imported(ledger: Database, tmp_path: Path):
    path = tmp_path / "parts.safetensors"
    path.write_bytes(write_exchange(description(), head(), None))

    assert import_model(ledger, path, name=None) == ("parts@1", True)


@pytest.mark.parametrize("disguise", [None, "model.safetensors"])
@pytest.mark.parametrize(
    ("write", "name", "says"),
    [
        (h5, "model.h5", "an HDF5 file, such as Keras' .h5"),
        (keras_with_a_lambda, "model.keras", "a .keras file"),
        (pickled, "model.pkl", "a pickle"),
        (pickled_long_ago, "model.pickle", "a pickle"),
        (torch_file, "model.pt", "a file of PyTorch's"),
        (npz, "model.npz", "a zip file"),
    ],
)
def test_file_that_could_run_code_is_named_and_never_loaded(
    ledger: Database, tmp_path: Path, write: Callable[[Path, Path], None], name: str, says: str, disguise: str | None
):
    marker, path = tmp_path / "marker", tmp_path / (disguise or name)
    write(path, marker)

    message = refuse(ledger, path)

    assert says in message
    assert "never opened here" in message
    assert "labelyard models export --format safetensors" in message
    assert not marker.exists()


def test_the_pickle_of_these_tests_does_harm_where_it_is_loaded(tmp_path: Path):
    pickled(tmp_path / "model.pkl", tmp_path / "marker")

    pickle.loads((tmp_path / "model.pkl").read_bytes())

    assert (tmp_path / "marker").exists()


def file_of(header: dict[str, object] | bytes, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


PAIR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
TWICE = b'{"a":%b,"a":%b}' % (json.dumps(PAIR).encode(), json.dumps(PAIR).encode())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cannot be read"),
        (b"words", "cannot be read"),
        (file_of(b"{}", length=2**30), "header too large"),
        (file_of(b"{}", length=2**64 - 1), "header too large"),
        (file_of(b"{}", length=1000), "cannot be read"),
        (file_of({"a": PAIR, "b": PAIR}, bytes(8)), "invalid offset"),
        (file_of({"a": PAIR}, bytes(16)), "not fully covered"),
        (file_of({"a": PAIR}, bytes(4)), "cannot be read"),
        (file_of({"a": {**PAIR, "shape": [2**33, 2**33]}}, bytes(8)), "overflow"),
        (file_of({"a": {**PAIR, "shape": [0, 2**62], "data_offsets": [0, 0]}}), "too big"),
        (file_of({"a": {**PAIR, "shape": [-2]}}, bytes(8)), "invalid value"),
        (file_of({"a": {**PAIR, "dtype": "OBJECT"}}, bytes(8)), "unknown variant"),
        (file_of({"a": {**PAIR, "dtype": "BF16", "shape": [4]}}, bytes(8)), "BF16"),
        (file_of(TWICE, bytes(8)), "a name stands twice"),
        (file_of(b'{"a":1e999}'), "cannot be read"),
        (file_of(b"[" * 10**5), "cannot be read"),
        (file_of({"__metadata__": {"labelyard": 1}}), "cannot be read"),
        (file_of({"a": PAIR}, bytes(8)), "none of Labelyard's"),
        (file_of({"__metadata__": {"labelyard": "{"}}), "cannot be used"),
        (file_of({"__metadata__": {"labelyard": "[" * 10**5}}), "cannot be used"),
    ],
)
def test_safetensors_file_that_is_wrong_is_refused(ledger: Database, tmp_path: Path, data: bytes, says: str):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)

    assert says in refuse(ledger, path)


def with_other_numbers() -> bytes:
    data = write_exchange(description(), head(), None)
    return data[:-1] + b"\x01"


NOT_A_NUMBER = np.full((NUM_FEATURES, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (with_other_numbers(), "sha256"),
        (write_exchange(description(), head(weights=np.zeros((7, 2), np.float32)), None), "expected (256, 2) float32"),
        (write_exchange(description(), head(bias=np.zeros(2, np.float64)), None), "expected (2,) float32"),
        (write_exchange(description(), {"bias": head()["bias"]}, None), "'weights' is missing"),
        (write_exchange(description(), head(other=np.zeros(1)), None), "which is unknown"),
        (write_exchange(description(), head(weights=NOT_A_NUMBER), None), "512 of 512 values of 'head/weights'"),
        (write_exchange(description(), head(bias=np.array([0, np.inf], np.float32)), None), "infinite"),
        (write_exchange(description(mode=TrainMode.SCRATCH), head(), {"a": np.array([np.nan])}), "'network/a'"),
        (write_exchange(description(epochs=[{"number": "first"}]), head(), None), "cannot be used"),
        (write_exchange(description(evaluations=[{"dataset": "d"}]), head(), None), "cannot be used"),
        (write_exchange(description(training={}), head(), None), "cannot be used"),
    ],
)
def test_model_that_is_not_what_its_file_says_is_refused(ledger: Database, tmp_path: Path, data: bytes, says: str):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)

    assert says in refuse(ledger, path)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_temperature_that_makes_no_probabilities_is_refused(ledger: Database, tmp_path: Path, temperature: float):
    path = tmp_path / "model.safetensors"
    good = json.loads(description().model_dump_json())
    data = to_bytes({}, {"labelyard": json.dumps(good | {"temperature": temperature}), "sha256": ""})
    path.write_bytes(data)

    assert "temperature" in refuse(ledger, path)


def test_file_that_is_too_large_or_no_file_is_not_read(ledger: Database, tmp_path: Path):
    with (tmp_path / "large.safetensors").open("wb") as file:
        file.truncate(5 * 1024**3)
    os.mkfifo(tmp_path / "pipe.safetensors")

    assert "5,368,709,120 bytes; at most" in refuse(ledger, tmp_path / "large.safetensors", UsageError)
    assert "cannot be read" in refuse(ledger, tmp_path / "pipe.safetensors", UsageError)
    assert "cannot be read" in refuse(ledger, tmp_path, UsageError)
    assert "cannot be read" in refuse(ledger, tmp_path / "nothing.safetensors", UsageError)
