import json

import numpy as np
import pytest
from safetensors.numpy import load

from core.errors import DamagedModelError
from workers.ml.tensors import check_shapes, from_bytes, to_bytes

NAME = "The head of parts@2"
EXPECTED = {"weights": ((4, 3), "float32"), "bias": ((3,), np.dtype("float32"))}


@pytest.fixture
def tensors():
    rng = np.random.default_rng(0)
    return {"weights": rng.normal(size=(4, 3)).astype(np.float32), "bias": rng.normal(size=3).astype(np.float32)}


def test_arrays_and_text_come_back_as_they_were_written(tensors):
    tensors |= {"count": np.array(7, np.int64), "none": np.empty((0, 2), np.float64), "flag": np.array([True, False])}

    received, metadata = from_bytes(to_bytes(tensors, {"stage": "head", "klasse": "Hütchen"}), name=NAME)

    assert metadata == {"stage": "head", "klasse": "Hütchen"}
    assert received.keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert (received[key].shape, received[key].dtype) == (tensor.shape, tensor.dtype)
        np.testing.assert_array_equal(received[key], tensor)


def test_no_text_is_no_text(tensors):
    assert from_bytes(to_bytes(tensors, {}), name=NAME)[1] == {}


def test_arrays_that_do_not_lie_in_one_piece_are_written_by_their_values(tensors):
    views = {"transposed": tensors["weights"].T, "reversed": tensors["bias"][::-1], "every other": np.arange(10)[::2]}

    received, _ = from_bytes(to_bytes(views, {}), name=NAME)

    for key, view in views.items():
        np.testing.assert_array_equal(received[key], view)


def test_numbers_that_are_not_finite_are_numbers_too():
    values = np.array([np.nan, np.inf, -np.inf], np.float32)

    received, _ = from_bytes(to_bytes({"values": values}, {}), name=NAME)

    np.testing.assert_array_equal(received["values"], values)


def test_what_is_written_is_a_plain_safetensors_file(tensors):
    np.testing.assert_array_equal(load(to_bytes(tensors, {"a": "b"}))["weights"], tensors["weights"])


@pytest.mark.parametrize("length", [0, 5, 40, -1])
def test_a_file_that_was_cut_short_is_named(tensors, length):
    data = to_bytes(tensors, {"stage": "head"})[:length]

    with pytest.raises(DamagedModelError, match=rf"^{NAME} is damaged: .* received {len(data):,} bytes"):
        from_bytes(data, name=NAME)


@pytest.mark.parametrize("damage", ["length", "header", "dtype", "appended"])
def test_a_file_with_another_header_is_named(tensors, damage):
    data = to_bytes(tensors, {})
    damaged = {
        "length": (2**40).to_bytes(8, "little") + data[8:],
        "header": data[:8] + b"x" + data[9:],
        "dtype": data.replace(b'"F32"', b'"F8!"'),
        "appended": data + b"more",
    }[damage]

    with pytest.raises(DamagedModelError, match=rf"^{NAME} is damaged: .*Train or import the model again"):
        from_bytes(damaged, name=NAME)


def test_a_number_format_that_numpy_does_not_have_is_named():
    header = json.dumps({"weights": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(4)

    with pytest.raises(DamagedModelError, match=rf"^{NAME} is damaged: .*BF16"):
        from_bytes(data, name=NAME)


def test_the_expected_arrays_pass(tensors):
    check_shapes(tensors, EXPECTED, name=NAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": np.zeros(5, np.float32)}, r"'bias' is \(5,\) float32, expected \(3,\) float32\.$"),
        ({"weights": np.zeros((4, 3))}, r"'weights' is \(4, 3\) float64, expected \(4, 3\) float32\.$"),
        ({"bias": None}, r"'bias' is missing, expected \(3,\) float32\.$"),
        ({"more": np.zeros((1, 2), np.int8)}, r"received 'more', \(1, 2\) int8, which is unknown\.$"),
    ],
)
def test_an_unexpected_array_is_named_with_what_was_expected(tensors, change, message):
    changed = {key: tensor for key, tensor in (tensors | change).items() if tensor is not None}

    with pytest.raises(DamagedModelError, match=rf"^{NAME} is not what was written: {message}"):
        check_shapes(changed, EXPECTED, name=NAME)


def test_no_arrays_and_no_text_come_back_as_nothing():
    assert from_bytes(to_bytes({}, {}), name="Nothing") == ({}, {})
