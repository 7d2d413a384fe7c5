"""Deciding which images are for learning, which for choosing, which for measuring, and which are left out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.errors import TrainingError
from core.types import Split
from db.samples import Sample, SampleUse
from workers.ml.splitting import Example, Splits, assign_splits, dataset_fingerprint
from workers.training.contents import Contents
from workers.training.work import TrainingWork

# How many bad images an error names.
NUM_NAMED = 3


@dataclass(frozen=True, slots=True)
class Division:
    """A dataset, divided."""

    samples: Mapping[Split, tuple[Sample, ...]]  # in the order of the dataset
    uses: tuple[SampleUse, ...]  # of every sample
    fingerprint: str

    def num_images(self, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
        """How many images each split has of each class."""
        counts = {split: Counter(sample.class_index for sample in samples) for split, samples in self.samples.items()}
        return {
            str(split): {name: count[index] for index, name in enumerate(classes)} for split, count in counts.items()
        }

    @property
    def num_left_out(self) -> int:
        """Images that could be read and are not used: duplicates, and those with contradictory labels."""
        return sum(use.left_out is not None and use.sha256 is not None for use in self.uses)


def divide(work: TrainingWork, contents: Contents) -> Division:
    """Divide a dataset by the contents of its images.

    Raises:
        TrainingError: too many images cannot be read, or too few are left.
    """
    _require_few_bad(work, contents)
    classes = work.options.classes
    examples = [
        Example(sample.ordinal, contents.sha256[sample.ordinal], sample.class_index, sample.split)
        for sample in work.samples
        if sample.ordinal in contents.sha256
    ]
    splits = assign_splits(examples, classes=classes, val_share=work.options.val_share, seed=work.options.seed)
    reasons = _reasons(splits, work.samples)
    uses = tuple(_use(sample, contents, splits, reasons) for sample in work.samples)
    samples = {
        split: tuple(sample for sample, use in zip(work.samples, uses, strict=True) if use.used_as is split)
        for split in Split
    }
    used = [replace(example, split=splits.used[example.key]) for example in examples if example.key in splits.used]
    return Division(
        {split: found for split, found in samples.items() if found}, uses, dataset_fingerprint(used, classes=classes)
    )


def _require_few_bad(work: TrainingWork, contents: Contents) -> None:
    num_bad, num_samples = len(contents.errors), len(work.samples)
    if num_bad <= work.options.max_bad_share * num_samples:
        return
    names = [
        f"{sample.name} ({contents.errors[sample.ordinal].detail})"
        for sample in work.samples
        if sample.ordinal in contents.errors
    ]
    raise TrainingError(
        f"{num_bad} of {num_samples} images cannot be read, more than the {work.options.max_bad_share:.0%} that "
        f"--max-bad allows: {'; '.join(names[:NUM_NAMED])}{'; …' if num_bad > NUM_NAMED else ''}. "
        "Mend or remove them, or allow more."
    )


def _reasons(splits: Splits, samples: tuple[Sample, ...]) -> dict[int, str]:
    """Why samples are left out, by ordinal."""
    duplicates = {left.key: f"the same image as {samples[left.of[0]].name}" for left in splits.duplicates}
    ambiguous = {
        left.key: f"the same image as {samples[left.of[0]].name}, which has another label" for left in splits.ambiguous
    }
    return duplicates | ambiguous


def _use(sample: Sample, contents: Contents, splits: Splits, reasons: Mapping[int, str]) -> SampleUse:
    ordinal = sample.ordinal
    if ordinal in contents.errors:
        return SampleUse(ordinal, None, contents.errors[ordinal].detail, None)
    return SampleUse(ordinal, splits.used.get(ordinal), reasons.get(ordinal), contents.sha256[ordinal])
