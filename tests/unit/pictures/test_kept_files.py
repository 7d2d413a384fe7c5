"""Pictures on disk: within their limit, the longest unused deleted, and no harm where the disk fails."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.pictures.kept_files import KeptFiles


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_put_is_there_and_nothing_else(tmp_path):
    kept = KeptFiles(tmp_path / "pictures", max_bytes=1000)
    kept.put("aa1", b"one")
    assert (kept.get("aa1"), kept.get("aa2"), kept.get("bb1")) == (b"one", None, None)
    kept.put("aa1", b"other")
    assert kept.get("aa1") == b"other"
    assert len(files_below(tmp_path)) == 1


def test_the_longest_unused_make_room(tmp_path):
    kept = KeptFiles(tmp_path, max_bytes=1000)
    for number in range(10):
        kept.put(f"k{number}", bytes(100))
        os.utime(tmp_path / f"k{number}" / f"k{number}", (number, number))
    assert kept.get("k0") is not None  # used now

    kept.put("new", bytes(100))

    there = {path.name for path in files_below(tmp_path)}
    assert {"k0", "new"} <= there
    assert "k1" not in there
    assert sum(path.stat().st_size for path in files_below(tmp_path)) <= 1000


def test_what_was_there_before_and_what_was_left_unfinished_counts(tmp_path):
    KeptFiles(tmp_path, max_bytes=1000).put("old", bytes(600))
    (tmp_path / "ol" / "tmpunfinished").write_bytes(bytes(300))
    for path in files_below(tmp_path):
        os.utime(path, (1, 1))

    KeptFiles(tmp_path, max_bytes=1000).put("new", bytes(200))

    assert sum(path.stat().st_size for path in files_below(tmp_path)) <= 900
    assert KeptFiles(tmp_path, max_bytes=1000).get("new") is not None


def test_a_folder_that_cannot_be_made_costs_the_copy_alone(tmp_path):
    (tmp_path / "pictures").write_text("in the way")
    kept = KeptFiles(tmp_path / "pictures", max_bytes=1000)
    kept.put("aa1", b"one")
    assert kept.get("aa1") is None


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".", "a.b", "ä"])
def test_a_key_leads_nowhere_else(tmp_path, key):
    with pytest.raises(ValueError, match="letters and digits"):
        KeptFiles(tmp_path, max_bytes=1000).get(key)


def test_threads_that_write_the_same_and_make_room_at_once_leave_whole_files(tmp_path):
    kept = KeptFiles(tmp_path, max_bytes=5000)

    def write(number: int) -> None:
        kept.put(f"k{number % 20}", bytes([number % 20]) * 500)
        found = kept.get(f"k{number % 20}")
        assert found in (None, bytes([number % 20]) * 500)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(400)))
    assert files_below(tmp_path), "nothing was kept"
    assert all(path.stat().st_size == 500 for path in files_below(tmp_path))
    assert sum(path.stat().st_size for path in files_below(tmp_path)) <= 5000
