"""What a network says without any training: the baseline that a trained model has to beat.

ImageNet's classes and a dataset's are found to be the same by their names, so this is also where a dataset is matched
to the classes of any other model. Knows class names and top answers, nothing of networks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from core.errors import DatasetError
from core.labels import ClassLabel

NUM_ANSWERS = 3
NUM_SUGGESTIONS = 3
# How many of a model's classes an error lists.
_NUM_LISTED = 10
# Plurals are told from names that end in an "s" by what is left: "bus" is none of "bu".
_MIN_STEM = 3
_WORDNET_ID = re.compile(r"n\d{8}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An ImageNet class, and how many images it was the first answer to."""

    label: str
    num_images: int


@dataclass(frozen=True, slots=True)
class ClassAnswers:
    """What an ImageNet classifier says to the images of one class."""

    label: str  # the dataset's class
    num_images: int
    matches: tuple[str, ...]  # ImageNet's classes of the same name; none: no answer can be right
    answers: tuple[Answer, ...]  # the most frequent first answers, at most `NUM_ANSWERS`


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """How an ImageNet classifier does on a dataset that it was not trained for."""

    num_images: int
    accuracy: float | None  # 0..1; None: not every class has one of ImageNet's
    unmatched: tuple[str, ...]  # the classes that have none
    classes: tuple[ClassAnswers, ...]  # by class index

    def to_json(self) -> dict[str, Any]:
        """Plain values for storing."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ZeroShot":
        """Read what `to_json` wrote."""
        classes = tuple(
            ClassAnswers(
                **{
                    **row,
                    "matches": tuple(row["matches"]),
                    "answers": tuple(Answer(**answer) for answer in row["answers"]),
                }
            )
            for row in values["classes"]
        )
        return cls(**{**values, "unmatched": tuple(values["unmatched"]), "classes": classes})


def zero_shot(
    true: np.ndarray, imagenet_top_indices: np.ndarray, classes: Sequence[str], labels: Sequence[ClassLabel]
) -> ZeroShot:
    """Measure an ImageNet classifier on images of other classes.

    Args:
        true: (N,) int, the dataset's class indices.
        imagenet_top_indices: (N, K) int, ImageNet's class indices, best first; the first column counts.
        classes: what the dataset's classes are called, by class index.
        labels: ImageNet's, in the order of the classifier's outputs.

    Raises:
        ValueError: the shapes do not fit each other.
    """
    if imagenet_top_indices.ndim != 2 or imagenet_top_indices.shape[0] != true.shape[0]:  # noqa: PLR2004 - N and K
        raise ValueError(
            f"Zero-shot: expected classes (N,) and answers (N, K), "
            f"received {true.shape} and {imagenet_top_indices.shape}."
        )
    first = imagenet_top_indices[:, 0]
    matches = match_classes(classes, labels)
    unmatched = tuple(name for index, name in enumerate(classes) if index not in matches)
    right = [answer in matches.get(index, ()) for index, answer in zip(true.tolist(), first.tolist(), strict=True)]
    return ZeroShot(
        num_images=len(true),
        accuracy=None if unmatched or not right else sum(right) / len(right),
        unmatched=unmatched,
        classes=tuple(
            _describe_class(name, first[true == index], matches.get(index, ()), labels)
            for index, name in enumerate(classes)
        ),
    )


def match_classes(classes: Sequence[str], labels: Sequence[ClassLabel]) -> dict[int, tuple[int, ...]]:
    """Find the ImageNet classes, or any model's, that are called like a dataset's classes.

    Case, plural and the choice of spaces, hyphens or underscores make no difference; a WordNet id is a name too. The
    closest spelling wins: "Ants" means "ant" only where nothing is called "ants".

    Returns:
        Indices of labels by class index; several where labels share a name, as ImageNet's two cranes do. Classes
        without a match are missing.
    """
    tables: list[dict[str, list[int]]] = [{}, {}, {}]
    for index, label in enumerate(labels):
        for table, spellings in zip(tables, _spellings(label.label), strict=True):
            for spelling in spellings:
                table.setdefault(spelling, []).append(index)
        if _WORDNET_ID.fullmatch(label.label_id):
            tables[0].setdefault(label.label_id, []).append(index)
    matches = {index: _look_up(name, tables) for index, name in enumerate(classes)}
    return {index: found for index, found in matches.items() if found}


def map_classes(names: Sequence[str], labels: Sequence[ClassLabel]) -> list[int]:
    """Find each of a dataset's classes among a model's.

    Args:
        names: what the dataset's classes are called.
        labels: the model's, by class index.

    Returns:
        The model's class index of each name.

    Raises:
        DatasetError: the model does not know a class, or has several of that name.
    """
    matches = match_classes(names, labels)
    unknown = [name for index, name in enumerate(names) if index not in matches]
    if unknown:
        raise DatasetError(_describe_unknown(unknown, labels))
    for index, found in matches.items():
        if len(found) > 1:
            ids = " or ".join(f"{labels[position].label_id}" for position in found)
            raise DatasetError(
                f"The model has {len(found)} classes called {labels[found[0]].label!r}, so {names[index]!r} could mean "
                f"any of them. Call the class by its id: {ids}."
            )
    return [matches[index][0] for index in range(len(names))]


def _describe_class(
    name: str, answers: np.ndarray, matches: Sequence[int], labels: Sequence[ClassLabel]
) -> ClassAnswers:
    # Equals are in the order of the labels, not in that of the images.
    counts = sorted(Counter(answers.tolist()).items(), key=lambda item: (-item[1], item[0]))[:NUM_ANSWERS]
    return ClassAnswers(
        label=name,
        num_images=len(answers),
        matches=tuple(labels[index].label for index in matches),
        answers=tuple(Answer(labels[index].label, count) for index, count in counts),
    )


def _look_up(name: str, tables: Sequence[Mapping[str, Sequence[int]]]) -> tuple[int, ...]:
    for table, spellings in zip(tables, _spellings(name), strict=True):
        found = {index for spelling in spellings for index in table.get(spelling, ())}
        if found:
            return tuple(sorted(found))
    return ()


def _spellings(name: str) -> tuple[set[str], set[str], set[str]]:
    """What a name may be found by, from the strictest to the loosest: as it is, evenly written, without a plural."""
    plain = re.sub(r"[\s_-]+", " ", name).strip().casefold()
    return {name}, {plain}, {plain, *_singulars(plain)}


def _singulars(plain: str) -> Iterable[str]:
    """What a name is the plural of, if it is one; guesses by English rules, several at once."""
    for ending, replacement in (("ies", "y"), ("es", ""), ("s", "")):
        stem = plain.removesuffix(ending)
        if stem != plain and len(stem) >= _MIN_STEM and not plain.endswith("ss"):
            yield stem + replacement


def _describe_unknown(unknown: Sequence[str], labels: Sequence[ClassLabel]) -> str:
    # Of several labels that differ in case only, the last one is suggested; any of them leads on.
    known = {label.label.casefold(): label.label for label in labels}
    described = []
    for name in unknown[:_NUM_LISTED]:
        nearest = get_close_matches(name.casefold(), known, n=NUM_SUGGESTIONS, cutoff=0.6)
        described.append(repr(name) + (f" (nearest: {', '.join(known[key] for key in nearest)})" if nearest else ""))
    more = f" and {len(unknown) - _NUM_LISTED} more" if len(unknown) > _NUM_LISTED else ""
    listed = ", ".join(label.label for label in labels[:_NUM_LISTED])
    of_all = f", … ({len(labels)} in all)" if len(labels) > _NUM_LISTED else ""
    return (
        f"The model does not know {', '.join(described)}{more}. It knows {listed}{of_all}. "
        "Call the classes of the dataset as the model does, or choose a model that was trained on them."
    )
