import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.settings import Settings
from core.types import Split
from orchestrator.datasets import check_readable, check_splittable, open_dataset
from orchestrator.drawing import draw_demo
from orchestrator.drawing.objects import DRAWERS
from orchestrator.drawing.scenes import draw_scene
from workers.access import Access
from workers.images.loading import build_image_loader
from workers.ml.decoding import Decoder
from workers.ml.limits import ImageLimits

CLASSES = ("Hat", "Cube", "Card", "Torch", "Screw")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The demo's pictures."""
    return draw_demo(tmp_path_factory.mktemp("drawn"))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_training_and_test_pictures_are_a_dataset_that_training_takes(drawn):
    dataset = open_dataset(str(drawn.folder), Access(), cwd=Path.cwd())
    loader = build_image_loader(Settings())

    assert dataset.classes == tuple(sorted(CLASSES))
    assert dataset.num_by_class(Split.TRAIN) == (13,) * 5
    assert drawn.num_train == 65
    assert sum(dataset.num_by_class(Split.TEST)) == drawn.num_test == 9
    assert min(dataset.num_by_class(Split.TEST)) >= 1
    check_splittable(dataset, 0.2)
    check_readable(dataset, lambda locator: loader.prepare(locator, []))
    loader.close()


def test_unlabelled_pictures_give_nothing_away_but_in_the_list(drawn):
    found = {path.name for path in (drawn.folder / "unlabelled").iterdir()}

    assert found == set(drawn.truth)
    assert Counter(drawn.truth.values()) == dict.fromkeys(CLASSES, 60)
    assert not any(name.lower() in file.lower() for file in found for name in CLASSES)
    with (drawn.folder / "unlabelled-truth.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image"]: row["label"] for row in csv.DictReader(file)}
    assert rows == {f"unlabelled/{name}": label for name, label in drawn.truth.items()}
    listed = open_dataset("unlabelled-truth.csv", Access(), cwd=drawn.folder)
    assert listed.num_by_class() == (60,) * 5
    in_order = [drawn.truth[name] for name in sorted(drawn.truth)]
    assert in_order[5:] != in_order[:-5]


def test_every_picture_decodes_and_no_two_are_alike(drawn):
    decoder = Decoder(ImageLimits(max_bytes=10**7, max_pixels=10**6))
    images = [decoder.decode(data) for name, data in files(drawn.folder).items() if not name.endswith(".csv")]

    assert len(images) == 65 + 9 + 300
    assert {image.shape for image in images} == {(224, 224, 3)}
    assert len({image.tobytes() for image in images}) == len(images)
    assert all(image.std() > 5 for image in images)


def test_the_same_seed_gives_the_same_files_and_another_one_gives_others_in_their_place(drawn, tmp_path):
    again = draw_demo(tmp_path)
    first = files(tmp_path)
    assert first == files(drawn.folder)
    assert again.truth == drawn.truth

    other = draw_demo(tmp_path, seed=1)
    second = files(tmp_path)
    assert second.keys() == first.keys()
    assert not any(second[name] == first[name] for name in first)
    assert other.truth != drawn.truth


@pytest.mark.parametrize("name", CLASSES)
def test_a_thing_is_seen_in_its_scene(name):
    for seed in range(5):
        sprite = DRAWERS[name](np.random.default_rng(seed))
        share = (sprite.mask > 0).mean()
        assert 0.05 < share < 0.7
        assert not sprite.image_rgb[sprite.mask == 0].any()
        scene = draw_scene(sprite, np.random.default_rng(seed), max_angle=20)
        sprite.mask[:] = 0
        sprite.image_rgb[:] = 0
        empty = draw_scene(sprite, np.random.default_rng(seed), max_angle=20)
        assert (np.abs(scene.astype(int) - empty).max(axis=-1) > 20).mean() > 0.02
