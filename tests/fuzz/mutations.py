"""What becomes of whole images: bits turned, parts cut out, doubled, or taken from another, headers that lie.

Equal seeds give equal files.
"""

import struct
import zlib
from collections.abc import Iterator
from random import Random

from fuzz.seeds import make_seeds

# Numbers that programmers forget.
NUMBERS = (0, 1, 2, 7, 8, 255, 256, 4095, 9_999, 32_767, 32_768, 60_000, 65_535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
# Where most of what says how large an image is stands.
NUM_HEADER_BYTES = 64
PNG_START = b"\x89PNG\r\n\x1a\n"


def make_files(seed: int, number: int) -> Iterator[tuple[str, bytes]]:
    """Mutated images, with names whose endings are now and then of another format."""
    random = Random(seed)
    seeds = make_seeds()
    names = sorted(seeds)
    endings = sorted({name.partition("-")[0] for name in names})
    for index in range(number):
        name = names[index % len(names)]
        data = mutate(random, seeds[name], seeds[random.choice(names)])
        ending = random.choice(endings) if random.random() < 0.1 else name.partition("-")[0]
        yield f"{index:05d}-{name}.{ending}", data


def mutate(random: Random, data: bytes, other: bytes) -> bytes:
    """Do one to three things to an image; `other` is one to take parts from."""
    mutated = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        random.choice(MUTATIONS)(random, mutated, other)
    # A checksum that is wrong keeps the rest of a PNG from being looked at; an attacker would not leave it.
    return mend_checksums(bytes(mutated)) if random.random() < 0.8 else bytes(mutated)


def turn_bits(random: Random, data: bytearray, other: bytes) -> None:
    del other
    for _ in range(random.choice((1, 2, 8, 64))):
        position = place(random, data)
        if position is not None:
            data[position] ^= 1 << random.randrange(8)


def set_bytes(random: Random, data: bytearray, other: bytes) -> None:
    del other
    for _ in range(random.choice((1, 4))):
        position = place(random, data)
        if position is not None:
            data[position] = random.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))


def set_number(random: Random, data: bytearray, other: bytes) -> None:
    del other
    position = place(random, data)
    if position is not None:
        size, letter = random.choice(((2, "H"), (4, "I")))
        value = random.choice(NUMBERS) % 2 ** (8 * size)
        data[position : position + size] = struct.pack(random.choice("<>") + letter, value)


def cut_off(random: Random, data: bytearray, other: bytes) -> None:
    del other
    del data[random.randrange(len(data) + 1) :]


def cut_out(random: Random, data: bytearray, other: bytes) -> None:
    del other
    start, end = span(random, data)
    del data[start:end]


def double(random: Random, data: bytearray, other: bytes) -> None:
    del other
    start, end = span(random, data)
    data[end:end] = data[start:end] * random.choice((1, 1, 3, 100))


def insert_noise(random: Random, data: bytearray, other: bytes) -> None:
    del other
    start, _ = span(random, data)
    data[start:start] = random.randbytes(random.choice((1, 4, 100)))


def splice(random: Random, data: bytearray, other: bytes) -> None:
    """Go on as another image, or with a part of one."""
    start, end = span(random, data)
    from_start, from_end = span(random, other)
    data[start : random.choice((end, len(data)))] = other[from_start : random.choice((from_end, len(other)))]


def stack(random: Random, data: bytearray, other: bytes) -> None:
    """Two files in one, each of which may be taken for the whole."""
    del random
    data += other


MUTATIONS = (
    turn_bits,
    turn_bits,
    set_bytes,
    set_number,
    set_number,
    cut_off,
    cut_out,
    double,
    insert_noise,
    splice,
    stack,
)


def place(random: Random, data: bytearray) -> int | None:
    """A position, in the header as often as anywhere."""
    if not data:
        return None
    return random.randrange(min(len(data), NUM_HEADER_BYTES) if random.random() < 0.5 else len(data))


def span(random: Random, data: bytes | bytearray) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 4, 16, 256, 4096)))


def mend_checksums(data: bytes) -> bytes:
    """Give every chunk of a PNG, as far as there are any, the checksum that it should have."""
    if not data.startswith(PNG_START):
        return data
    mended = bytearray(data)
    position = len(PNG_START)
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(data[position + 4 : end]))
        position = end + 4
    return bytes(mended)
