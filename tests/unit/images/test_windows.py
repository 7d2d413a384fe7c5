import io

import pytest

from workers.windows import StreamWindow

DATA = bytes(range(251)) * 40_000


@pytest.fixture
def window():
    return StreamWindow(lambda: io.BytesIO(DATA), num_bytes=2 * 1024**2)


def test_a_little_back_is_answered_from_the_window_and_far_back_by_starting_again(window):
    assert window.read(6_000_000, 100) == DATA[6_000_000:6_000_100]
    assert window.read(5_500_000, 100) == DATA[5_500_000:5_500_100]
    assert window.num_starts == 1
    assert window.read(10, 100) == DATA[10:110]
    assert window.num_starts == 2


def test_what_is_larger_than_the_window_is_read_whole(window):
    assert window.read(1000, 5_000_000) == DATA[1000:5_001_000]
    assert window.read(5_001_000, 10) == DATA[5_001_000:5_001_010]
    assert window.num_starts == 1


def test_end_of_the_stream_gives_fewer_bytes(window):
    assert window.read(len(DATA) - 5, 100) == DATA[-5:]
    assert window.read(len(DATA) + 5, 100) == b""


def test_closed_window_starts_again(window):
    window.read(0, 10)
    window.close()

    assert window.read(3, 3) == DATA[3:6]
    assert window.num_starts == 2


def test_no_more_than_the_window_is_kept(window):
    for offset in range(0, len(DATA) - 1000, 500_000):
        window.read(offset, 1000)

    assert len(window._kept) <= 3 * 1024**2 + 1000
