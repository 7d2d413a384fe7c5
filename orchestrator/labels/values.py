"""What a label is on its way from a file to the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import UsageError
from core.items import Locator
from core.types import Split

# Problems that an error names; the others are counted.
NUM_NAMED = 10


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label as it is given; whether there is such an image, and such a class, is not known yet."""

    where: str  # for messages: "Line 3 of labels.csv"
    image: str  # what the image is called
    locator: Locator | None  # where it would be; None: it is known by its name or its content alone
    label: str  # the class's name
    annotator: str | None = None  # None: whoever gives it
    created_at: float | None = None  # seconds since 1970; None: now
    split: Split | None = None  # test: to be measured on
    sha256: str | None = None  # the content that is meant, as the file says


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that is there, or was."""

    sha256: str  # of its content
    name: str
    locator: str  # core.items.locator_to_text


@dataclass(slots=True)
class Problems:
    """Everything that is wrong with some labels, so that it can be mended at once."""

    sentences: list[str] = field(default_factory=list)

    def add(self, where: str, problem: str) -> None:
        """Note one."""
        self.sentences.append(f"{where}: {problem}")

    def raise_any(self) -> None:
        """Refuse, if there is any.

        Raises:
            UsageError: there is.
        """
        if not self.sentences:
            return
        shown = "\n".join(f"  {sentence}" for sentence in self.sentences[:NUM_NAMED])
        more = len(self.sentences) - NUM_NAMED
        others = f"\n  … and {more:,} more" if more > 0 else ""
        raise UsageError(
            f"{len(self.sentences):,} of the labels cannot be taken, so none was:\n{shown}{others}\n"
            "Mend or remove them, then import again."
        )


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of some labels."""

    model: str
    num_added: int
    num_known: int  # that the same person had given for the same image already
    num_skipped: int  # whose class the model does not have
    new_classes: Sequence[str]  # that were added
    skipped_classes: Sequence[str]
