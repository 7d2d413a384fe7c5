"""Mutated images through the whole program; `make fuzz` does it with 10,000."""

from fuzz.mutations import make_files
from fuzz.running import fuzz
from program import Cli

NUM_IMAGES, SEED = 500, 1
MAX_WORKER_BYTES = 2 * 1024**3


def test_500_mutated_images_are_rows_and_harm_neither_their_neighbours_nor_the_worker(cli: Cli):
    findings = fuzz(cli, seed=SEED, number=NUM_IMAGES)
    assert findings.problems(max_bytes=MAX_WORKER_BYTES) == []
    assert findings.num_labelled > len(findings.good_labels), "some mutations do no harm"
    assert len(findings.reasons) > 3, "and others harm in different ways"


def test_equal_seeds_make_equal_files():
    assert list(make_files(3, 50)) == list(make_files(3, 50))
    assert list(make_files(3, 50)) != list(make_files(4, 50))
