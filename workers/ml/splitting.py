"""Which labelled image is for what: every content is used once, for one thing, and the same way next time.

An image is known by the sha256 of its file, never by its name or its place in the dataset, so that renaming, copying
and reordering change nothing, and nothing that a model was fitted to can come back as the test that it passes. This
module must not know where images come from; it sees hashes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from core.errors import TrainingError
from core.types import Split

# Which split keeps a content that a dataset's own folders have in several: a test that was trained on is no test.
_WEAKEST_FIRST = (Split.TRAIN, Split.VAL, Split.TEST)


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled image that could be read."""

    key: int  # what the caller knows it by; unique
    sha256: str  # of its file, in hexadecimal
    class_index: int
    split: Split | None  # what its dataset has it for; None: the dataset does not say, so it is for training


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An example that is used for nothing."""

    key: int
    of: tuple[int, ...]  # duplicate: the one that counts; ambiguous: a copy of each other class


@dataclass(frozen=True, slots=True)
class Splits:
    """What each example is used for; each key is in exactly one of the three."""

    used: Mapping[int, Split]  # in the dataset's order
    duplicates: tuple[LeftOut, ...]  # copies of a content, beyond the one that counts
    ambiguous: tuple[LeftOut, ...]  # all copies of a content that has more than one class

    def keys(self, split: Split) -> tuple[int, ...]:
        """The keys of one split, in the dataset's order."""
        return tuple(key for key, used_as in self.used.items() if used_as is split)


def assign_splits(examples: Sequence[Example], *, classes: Sequence[str], val_share: float, seed: int) -> Splits:
    """Decide what each example is used for.

    Copies of a content within a class count once. A content that has several classes is left out, all of it. A content
    that the dataset has in several splits is for testing before validation before training. Where the dataset has no
    validation part, it is taken from the training images of each class, in an order that the seed and the contents
    alone decide: one more image moves at most one other.

    Args:
        examples: in any order; it only decides which of several copies is the one that counts.
        classes: what the classes are called, by class index.
        val_share: between 0 and 1; how much of each class is for validation where the dataset does not say. At least
            one image of each class is, and at least one is not.
        seed: another one picks other images for validation.

    Raises:
        TrainingError: a class has too few different images.
        ValueError: the share is not between 0 and 1.
    """
    if not 0 < val_share < 1:
        raise ValueError(f"val_share: expected more than 0 and less than 1, received {val_share}.")
    kept, duplicates, ambiguous = _deduplicate(examples)
    has_val = any(example.split is Split.VAL for example in examples)
    _check_sizes(kept, classes, num_needed=1 if has_val else 2, num_ambiguous=_count_classes(examples, ambiguous))
    chosen = frozenset() if has_val else _choose_val(kept, val_share=val_share, seed=seed)
    used = {example.key: Split.VAL if example.sha256 in chosen else _split_of(example) for example in kept}
    return Splits(used, duplicates, ambiguous)


def dataset_fingerprint(examples: Iterable[Example], *, classes: Sequence[str]) -> str:
    """Sum up what a dataset holds: contents, what they show and what they are for, whatever their names and order.

    Args:
        examples: the dataset, or the part of it that was used; copies count as often as they occur.
        classes: what the classes are called, by class index.

    Returns:
        A sha256 in hexadecimal.
    """
    # Class names may hold lone surrogates, for bytes of folder names that are not UTF-8; `!a` writes any of them.
    lines = (f"{example.sha256} {example.split or '-'} {classes[example.class_index]!a}" for example in examples)
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _deduplicate(examples: Sequence[Example]) -> tuple[list[Example], tuple[LeftOut, ...], tuple[LeftOut, ...]]:
    """Find the examples that count, the copies that do not, and the contradictions, each in the dataset's order."""
    first_of_class: dict[str, dict[int, int]] = defaultdict(dict)
    counting: dict[str, Example] = {}
    for example in examples:
        first_of_class[example.sha256].setdefault(example.class_index, example.key)
        best = counting.setdefault(example.sha256, example)
        if _strength(example) > _strength(best):
            counting[example.sha256] = example
    kept: list[Example] = []
    duplicates: list[LeftOut] = []
    ambiguous: list[LeftOut] = []
    for example in examples:
        firsts = first_of_class[example.sha256]
        best = counting[example.sha256]
        if len(firsts) > 1:
            others = tuple(key for class_index, key in firsts.items() if class_index != example.class_index)
            ambiguous.append(LeftOut(example.key, others))
        elif example is best:
            kept.append(example)
        else:
            duplicates.append(LeftOut(example.key, (best.key,)))
    return kept, tuple(duplicates), tuple(ambiguous)


def _strength(example: Example) -> int:
    return _WEAKEST_FIRST.index(_split_of(example))


def _split_of(example: Example) -> Split:
    return example.split or Split.TRAIN


def _count_classes(examples: Sequence[Example], left_out: Sequence[LeftOut]) -> Counter[int]:
    class_of = {example.key: example.class_index for example in examples}
    return Counter(class_of[left.key] for left in left_out)


def _check_sizes(
    kept: Sequence[Example], classes: Sequence[str], *, num_needed: int, num_ambiguous: Mapping[int, int]
) -> None:
    sizes = Counter(example.class_index for example in kept if _split_of(example) is Split.TRAIN)
    small = [index for index in range(len(classes)) if sizes[index] < num_needed]
    if not small:
        return
    purpose = "to train on" if num_needed == 1 else "for training, so that one of them can be held out for validation"
    found = ", ".join(
        f"{classes[index]!r} has {sizes[index]}"
        + (f" (and {num_ambiguous[index]} that also have another class)" if num_ambiguous[index] else "")
        for index in small
    )
    raise TrainingError(
        f"Every class needs at least {num_needed} different readable image{'s'[: num_needed - 1]} {purpose}; {found}. "
        "Add images to it, or leave the class out."
    )


def _choose_val(kept: Iterable[Example], *, val_share: float, seed: int) -> frozenset[str]:
    """The contents that are for validation: the first ones of each class in an order that only looks random."""
    contents: dict[int, list[str]] = defaultdict(list)
    for example in kept:
        if _split_of(example) is Split.TRAIN:
            contents[example.class_index].append(example.sha256)
    return frozenset(
        content
        for members in contents.values()
        for content in sorted(members, key=lambda member: sha256(f"{seed}:{member}".encode()).digest())[
            : min(len(members) - 1, max(1, round(len(members) * val_share)))
        ]
    )
