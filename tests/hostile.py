"""Images that do what `hostile_decoder` makes of them. Knows nothing of pytest."""

from collections.abc import Mapping
from pathlib import Path

HOSTILE_DECODER = Path(__file__).parent / "hostile_decoder"
# By kind: the reason that the image's row must have.
REASONS = {"segfault": "decoder_crashed", "hang": "timed_out", "memory": "out_of_memory"}
# Small limits, so that a hang is noticed soon and memory runs out before the machine has none left: with these, an
# image may take 0.4 GB.
LIMITS = {
    "LABELYARD_MAX_IMAGE_S": "4",
    "LABELYARD_MAX_IMAGE_PIXELS": "1000000",
    "LABELYARD_MAX_IMAGE_BYTES": "10000000",
}


def hostile_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program whose workers decode with the hostile decoder."""
    path = [str(HOSTILE_DECODER), *filter(None, [env.get("PYTHONPATH")])]
    return {**LIMITS, **env, "PYTHONPATH": ":".join(path)}


def make_hostile(jpeg: Path, kind: str) -> None:
    """Give a JPEG the mark of a fault, as a comment: it stays the picture that it is."""
    comment = f"hostile-decoder:{kind};".encode()
    data = jpeg.read_bytes()
    jpeg.write_bytes(data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:])
