"""Items of a source: what an image is called, and where a worker finds its bytes.

A planner writes items, any worker on any machine reads them back, so an item is plain text: a name for people and a
locator for machines. File names are bytes on POSIX; Python shows those that are not UTF-8 as lone surrogates, which no
database stores as text. `escape_name` and `unescape_name` carry them through without loss.
"""

import json
import re
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class FileLocator:
    """A whole file is the image."""

    uri: str  # absolute local path, or fsspec URL


@dataclass(frozen=True, slots=True)
class ArrayLocator:
    """One item of an `.npy` array (N, H, W, 3)."""

    uri: str  # absolute local path or fsspec URL of the .npy file
    index: int  # position on the first axis
    scale: float  # multiplies the values to bring them to 0..255


@dataclass(frozen=True, slots=True)
class MemberLocator:
    """One member of a tar archive."""

    uri: str  # absolute local path or fsspec URL of the archive
    member: str  # the member's name in the archive
    offset: int  # first byte of the member's data in the uncompressed tar
    num_bytes: int  # length of the member's data


Locator = FileLocator | ArrayLocator | MemberLocator

_KINDS: dict[str, type[FileLocator] | type[ArrayLocator] | type[MemberLocator]] = {
    "file": FileLocator,
    "array": ArrayLocator,
    "member": MemberLocator,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a source, not yet read."""

    name: str  # the source's own name for it; may hold lone surrogates for bytes that are not UTF-8
    locator: Locator
    cursor: str  # where planning goes on after this item; opaque outside its source
    sha256: str | None = None  # the content that is meant, if it is known already; None: whatever is there


def locator_to_text(locator: Locator) -> str:
    """Write a locator as ASCII JSON; lone surrogates survive, escaped."""
    kind = next(kind for kind, cls in _KINDS.items() if isinstance(locator, cls))
    return json.dumps({"kind": kind, **asdict(locator)}, separators=(",", ":"))


def locator_from_text(text: str) -> Locator:
    """Read what `locator_to_text` wrote."""
    fields = json.loads(text)
    return _KINDS[fields.pop("kind")](**fields)


def escape_name(name: str) -> str:
    r"""Make a file name valid text: an undecodable byte becomes `\xNN`, a backslash `\\`, anything else `\uNNNN`."""
    return re.sub("[\\\\\x00\ud800-\udfff]", _escape_character, name)


def unescape_name(text: str) -> str:
    """Undo `escape_name`."""
    return re.sub(r"\\\\|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}", _unescape_match, text)


def _escape_character(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\\":
        return r"\\"
    byte = character.encode(errors="surrogateescape") if "\udc80" <= character <= "\udcff" else b""
    return f"\\x{byte.hex()}" if byte else f"\\u{ord(character):04x}"


def _unescape_match(match: re.Match[str]) -> str:
    text = match.group()
    if text == r"\\":
        return "\\"
    if text.startswith(r"\x"):
        return bytes.fromhex(text.removeprefix(r"\x")).decode(errors="surrogateescape")
    return chr(int(text.removeprefix(r"\u"), base=16))
