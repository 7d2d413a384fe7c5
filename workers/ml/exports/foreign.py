"""Model files that are not read here, told by their first bytes: what they are, and why.

Loading one of them can run code that its author put in: a `Lambda` layer in Keras' files, anything at all in a pickle.
So they are named and left alone; nothing in them is opened.
"""

NUM_HEAD_BYTES = 512

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_NPY = b"\x93NUMPY"
_LARGEST_PICKLE_PROTOCOL = 5


def describe_foreign(head: bytes) -> str | None:
    """Say what kind of model file begins like this; None if it may be a safetensors file.

    Args:
        head: the first `NUM_HEAD_BYTES` of it.
    """
    if head.startswith(_HDF5):
        return "an HDF5 file, such as Keras' .h5"
    if head.startswith(_ZIP):
        return _describe_zip(head)
    if head.startswith(_PICKLE) and head[1:2] <= bytes([_LARGEST_PICKLE_PROTOCOL]) and head[8:9] != b"{":
        return "a pickle, such as PyTorch's older .pt or joblib's"
    if head.startswith(_NPY):
        return "an array of NumPy's"
    # A safetensors file begins with a length, and then with the brace of its JSON.
    if head.startswith((b"(", b"]", b"}")) and head[8:9] != b"{":
        return "a pickle"
    return None


def _describe_zip(head: bytes) -> str:
    if b"data.pkl" in head:
        return "a file of PyTorch's (a zip with a pickle in it)"
    if b"metadata.json" in head or b"config.json" in head:
        return "a .keras file (a zip with a model's configuration in it)"
    return "a zip file, such as .keras, .pt or .npz"
