import random
import tracemalloc

import pytest

from orchestrator.sources.sorting import Entry, sort_entries


@pytest.mark.parametrize("num_entries", [0, 1, 9, 10, 11, 20, 1000, 7777])
@pytest.mark.parametrize("run_size", [10, 700])
def test_entries_come_in_the_order_of_their_bytes_however_many_runs_they_make(num_entries, run_size):
    generator = random.Random(num_entries)
    entries = [
        Entry(generator.randbytes(generator.randrange(1, 40)), generator.randrange(4)) for _ in range(num_entries)
    ]

    assert list(sort_entries(entries, run_size=run_size)) == sorted(entries)


def test_names_with_any_byte_survive_the_disk():
    entries = [Entry(name, 1) for name in (b"\n", b"\xff\xfe", b"a\nb", b"'\"", b"x" * 255)]

    assert list(sort_entries(entries, run_size=1)) == sorted(entries)


def test_stopping_early_leaves_nothing_open():
    entries = sort_entries((Entry(b"%d" % number, 0) for number in range(100)), run_size=10)
    next(entries)
    entries.close()


def test_memory_is_that_of_a_run_and_not_of_the_folder():
    def peak(num_entries):
        entries = (Entry(b"%08d.jpg" % (number * 7919 % num_entries), 0) for number in range(num_entries))
        tracemalloc.start()
        assert sum(1 for _ in sort_entries(entries, run_size=2000)) == num_entries
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    # The whole list would take a hundred bytes per name; each run keeps one small block.
    assert peak(60_000) < 3 * peak(6000)
    assert peak(60_000) < 60_000 * 25
