"""How much memory is left, as Linux tells it, and that a network which would not fit is refused."""

from pathlib import Path

import numpy as np
import pytest

from core.errors import EngineError, MemoryShortError
from core.labels import ClassLabel
from workers.ml.catalog import get_backbone
from workers.ml.heads import Head
from workers.ml.memory import available_bytes, require_memory
from workers.ml.model_cache import BackboneCache, LoadedBackbone

HEAD = Head(np.ones((1, 1), np.float32), np.ones(1, np.float32), (ClassLabel("thing", "0"),))


def machine(tmp_path: Path, *, available_kb: int, group: str = "0::/a/b\n") -> dict[str, Path]:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: 9999 kB\nMemAvailable:    {available_kb} kB\n")
    (tmp_path / "proc/self/cgroup").write_text(group)
    return {"proc": tmp_path / "proc", "groups": tmp_path / "groups"}


def limit(folder: Path, maximum: str, used: int, *, reclaimable: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{maximum}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {reclaimable}\n")


def test_without_limits_it_is_what_the_machine_has(tmp_path: Path):
    assert available_bytes(**machine(tmp_path, available_kb=1000)) == 1000 * 1024


def test_the_narrowest_group_counts_and_what_it_can_let_go_of_does_not(tmp_path: Path):
    roots = machine(tmp_path, available_kb=1000)
    limit(tmp_path / "groups/a/b", "max", 5000)
    limit(tmp_path / "groups/a", "50000", 40000, reclaimable=7000)
    limit(tmp_path / "groups", "900000", 0)
    assert available_bytes(**roots) == 17000


def test_a_group_that_is_over_its_limit_leaves_nothing(tmp_path: Path):
    roots = machine(tmp_path, available_kb=1000)
    limit(tmp_path / "groups/a/b", "100", 300)
    assert available_bytes(**roots) == 0


def test_where_the_system_does_not_tell_nothing_is_refused(tmp_path: Path):
    assert available_bytes(proc=tmp_path / "no", groups=tmp_path / "no") is None


def test_a_network_that_does_not_fit_is_refused_with_both_figures():
    vgg = get_backbone("vgg16")  # 138 million parameters of four bytes
    require_memory(vgg, num_copies=3, available=1_700_000_000)
    with pytest.raises(MemoryShortError, match=r"vgg16 needs about 1,660 MB .* 1,600 MB are left") as raised:
        require_memory(vgg, num_copies=3, available=1_600_000_000)
    assert isinstance(raised.value, EngineError), "a worker declines it"


class Engine:
    batch_size = num_bytes = 1


def test_other_networks_make_room_before_one_is_refused():
    class Machine:
        def load(self, name: str) -> LoadedBackbone:
            if len(cache.warm) > 1:
                raise MemoryShortError(name)
            return LoadedBackbone(get_backbone(name), Engine(), HEAD)

    cache = BackboneCache(Machine().load, max_bytes=1000)
    for name in ("vgg16", "vgg19", "xception"):
        cache.get(name)
    assert cache.warm == ("vgg19", "xception")


def test_one_that_does_not_fit_by_itself_is_refused():
    def load(name: str) -> LoadedBackbone:
        raise MemoryShortError(name)

    with pytest.raises(MemoryShortError):
        BackboneCache(load, max_bytes=1000).get("vgg16")
