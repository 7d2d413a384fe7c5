import random
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pytest

from core.errors import TrainingError
from core.types import Split
from workers.ml.splitting import Example, LeftOut, assign_splits, dataset_fingerprint

CLASSES = ("ants", "bees")


def content(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


def dataset(num_ants: int, num_bees: int, *, split: Split | None = None) -> list[Example]:
    classes = [0] * num_ants + [1] * num_bees
    return [Example(key, content(key), class_index, split) for key, class_index in enumerate(classes)]


def divide(examples, *, val_share=0.2, seed=0):
    return assign_splits(examples, classes=CLASSES, val_share=val_share, seed=seed)


def contents_of(splits, examples, split):
    hashes = {example.key: example.sha256 for example in examples}
    return {hashes[key] for key in splits.keys(split)}


def test_each_class_gives_its_share_to_validation_and_every_image_is_in_one_split():
    examples = dataset(40, 10)

    splits = divide(examples)

    classes = {example.key: example.class_index for example in examples}
    assert Counter(classes[key] for key in splits.keys(Split.VAL)) == {0: 8, 1: 2}
    assert sorted(splits.keys(Split.TRAIN) + splits.keys(Split.VAL)) == list(range(50))
    assert splits.keys(Split.TEST) == ()


def test_names_and_order_do_not_move_an_image_to_another_split():
    examples = dataset(30, 20)
    renamed = [replace(example, key=example.key + 1000) for example in examples]
    random.Random(3).shuffle(renamed)

    first, second = divide(examples), divide(renamed)

    for split in Split:
        assert contents_of(first, examples, split) == contents_of(second, renamed, split)


def test_the_same_seed_splits_alike_and_another_one_differently():
    examples = dataset(30, 20)

    assert divide(examples, seed=5) == divide(examples, seed=5)
    assert divide(examples, seed=5).keys(Split.VAL) != divide(examples, seed=6).keys(Split.VAL)


def test_a_further_image_moves_at_most_one_other():
    before = divide(dataset(10, 10)).used
    for num_ants in range(11, 60):
        grown = [*dataset(10, 10), *(Example(key, content(key), 0, None) for key in range(100, 90 + num_ants))]
        after = divide(grown).used
        assert sum(after[key] is not used_as for key, used_as in before.items()) <= 1
        before = after


def test_copies_within_a_class_count_once_and_say_what_they_are_copies_of():
    copies = [Example(100, content(3), 0, None), Example(101, content(3), 0, None)]

    splits = divide([*dataset(10, 10), *copies])

    assert splits.duplicates == (LeftOut(100, (3,)), LeftOut(101, (3,)))
    assert splits.used == divide(dataset(10, 10)).used


def test_a_content_with_two_classes_is_left_out_with_all_its_copies():
    examples = [*dataset(10, 10), Example(100, content(3), 1, None), Example(101, content(3), 0, None)]

    splits = divide(examples)

    assert splits.ambiguous == (LeftOut(3, (100,)), LeftOut(100, (3,)), LeftOut(101, (100,)))
    assert splits.duplicates == ()
    assert {3, 100, 101}.isdisjoint(splits.used)
    assert len(splits.used) == 19


@pytest.mark.parametrize(
    ("splits_of_copies", "index_that_counts"),
    [
        ((Split.TRAIN, Split.TEST), 1),
        ((Split.TRAIN, Split.VAL), 1),
        ((Split.VAL, Split.TEST), 1),
        ((None, Split.VAL), 1),
        ((Split.TEST, Split.TRAIN), 0),
        ((Split.TEST, Split.TEST), 0),
    ],
)
def test_a_content_in_several_splits_stays_where_it_measures(splits_of_copies, index_that_counts):
    copies = [Example(100 + index, content(99), 0, split) for index, split in enumerate(splits_of_copies)]

    splits = divide([*dataset(5, 5), *copies])

    counting, other = 100 + index_that_counts, 101 - index_that_counts
    assert splits.used[counting] is splits_of_copies[index_that_counts]
    assert splits.duplicates == (LeftOut(other, (counting,)),)


def test_a_dataset_with_its_own_validation_part_keeps_it_and_gives_nothing_more_to_it():
    examples = [*dataset(3, 1, split=Split.TRAIN), Example(50, content(50), 0, Split.VAL)]

    splits = divide(examples, val_share=0.5)

    assert splits.keys(Split.VAL) == (50,)
    assert splits.keys(Split.TRAIN) == (0, 1, 2, 3)


def test_validation_is_not_taken_from_test_images():
    tests = [Example(50 + number, content(50 + number), number % 2, Split.TEST) for number in range(20)]

    splits = divide([*dataset(10, 10, split=Split.TRAIN), *tests])

    assert splits.keys(Split.TEST) == tuple(range(50, 70))
    assert len(splits.keys(Split.VAL)) == 4


@pytest.mark.parametrize(("val_share", "num_val"), [(0.01, 1), (0.99, 2)])
def test_a_small_class_has_at_least_one_image_on_either_side(val_share, num_val):
    splits = divide(dataset(3, 3), val_share=val_share)

    assert len(splits.keys(Split.VAL)) == 2 * num_val


def test_a_class_with_one_image_is_an_error_that_names_it_and_says_how_many_it_needs():
    with pytest.raises(TrainingError, match=r"at least 2 different readable images .*; 'bees' has 1\. Add"):
        divide(dataset(10, 1))


def test_copies_do_not_make_a_class_large_enough():
    with pytest.raises(TrainingError, match="'bees' has 1"):
        divide([*dataset(10, 1), Example(50, content(10), 1, None)])


def test_a_class_that_is_small_for_its_contradictions_is_told_so():
    contradiction = Example(50, content(10), 0, None)
    with pytest.raises(TrainingError, match=r"'bees' has 0 \(and 1 that also have another class\)"):
        divide([*dataset(10, 1), contradiction])


def test_one_image_of_a_class_is_enough_where_the_dataset_has_a_validation_part():
    examples = [*dataset(10, 1), Example(50, content(50), 0, Split.VAL)]
    assert divide(examples).used[10] is Split.TRAIN

    with pytest.raises(TrainingError, match=r"at least 1 different readable image to train on; 'bees' has 0"):
        divide([example for example in examples if example.class_index == 0])


@pytest.mark.parametrize("val_share", [0.0, 1.0, -0.1])
def test_a_share_that_leaves_one_side_empty_is_refused(val_share):
    with pytest.raises(ValueError, match="expected more than 0 and less than 1"):
        divide(dataset(10, 10), val_share=val_share)


def test_the_fingerprint_ignores_names_and_order():
    examples = dataset(5, 5)
    renamed = [replace(example, key=example.key + 1000) for example in reversed(examples)]

    assert dataset_fingerprint(examples, classes=CLASSES) == dataset_fingerprint(renamed, classes=CLASSES)


def test_the_fingerprint_follows_contents_classes_and_splits():
    examples = dataset(5, 5)
    variants = [
        examples,
        examples[1:],
        [*examples, examples[0]],
        [replace(examples[0], class_index=1), *examples[1:]],
        [replace(examples[0], split=Split.VAL), *examples[1:]],
        [replace(examples[0], sha256=content(77)), *examples[1:]],
    ]
    fingerprints = [dataset_fingerprint(variant, classes=CLASSES) for variant in variants]
    fingerprints.append(dataset_fingerprint(examples, classes=("ants", "wasps")))

    assert len(set(fingerprints)) == len(fingerprints)


def test_the_fingerprint_takes_class_names_that_are_not_utf_8():
    assert len(dataset_fingerprint(dataset(1, 1), classes=("caf\udce9", "bees"))) == 64
