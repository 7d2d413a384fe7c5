"""What in an image of a job speaks for a class, as a picture and as numbers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from sqlalchemy.orm import Session

from core.errors import StateError, UsageError
from core.items import Locator, escape_name
from core.jobs import LabelOptions
from core.labels import ClassLabel
from core.preprocessing import PreprocessingContract
from core.types import ResizeMode
from db.database import Database
from db.ledger.control import get_job
from db.model_tables import ModelTable
from db.results import class_labels
from orchestrator.pictures.making import Made, PictureMaker
from orchestrator.pictures.overlays import Box, lay_over, map_box
from workers.explaining.process import ExplainingProcess
from workers.images.views import View
from workers.ml.catalog import get_backbone
from workers.ml.explaining import Explanation
from workers.ml.heads import Head
from workers.ml.networks import NetworkRecipe
from workers.trained import read_whole_recipe

_NUM_SUGGESTIONS = 3
# The smallest picture there is, where only numbers are asked for.
_SMALLEST = 1


@dataclass(frozen=True, slots=True)
class Question:
    """Which image, which model, which class."""

    locator: Locator
    model_id: int
    made_at: float  # when the model was; an id of a deleted one may come again
    contract: PreprocessingContract
    classes: tuple[int, ...]  # that have the name; none: the likeliest is meant
    labels: Mapping[int, ClassLabel]

    @property
    def model_key(self) -> str:
        """What tells the model from every other that there ever was."""
        return f"{self.model_id}/{self.made_at}"


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer in numbers."""

    label: ClassLabel
    explanation: Explanation
    full_hw: tuple[int, int]  # of the upright image, in pixels
    box: Box  # where on the image the map lies


def read_question(session: Session, job_id: int, locator: Locator, model: ModelTable, label: str | None) -> Question:
    """Find out what is asked for.

    Args:
        session: any transaction.
        job_id: the image's job.
        locator: where the image is.
        model: one of the job's.
        label: a class of the model's, by name or id; None: the likeliest is meant.

    Raises:
        UsageError: the model has no such class.
        StateError: nobody knows yet what its classes are called.
        UnknownModelError: this version knows no such backbone.
    """
    labels = class_labels(session, model.id)
    if not labels:
        raise StateError(f"{model.label} has not labelled anything yet. Ask again when it has.")
    return Question(
        locator=locator,
        model_id=model.id,
        made_at=model.created_at,
        contract=PreprocessingContract(get_backbone(model.backbone).size_hw, _resize(session, job_id, model)),
        classes=() if label is None else _classes(labels, label, model.label),
        labels=labels,
    )


class Explanations:
    """Explains; `close` ends its process.

    Args:
        database: where models are.
        maker: reads images, and keeps pictures.
    """

    def __init__(self, database: Database, maker: PictureMaker) -> None:
        self._database = database
        self._maker = maker
        self._process = ExplainingProcess()

    def picture(self, question: Question, longest: int, *, known: Collection[str] = ()) -> Made:
        """The image with what speaks for the class painted over it, as a PNG.

        Args:
            question: which image, which model, which class.
            longest: the picture's longer side, in pixels, at the most.
            known: keys of pictures that whoever asks has.

        Raises:
            InputError: the image cannot be read or decoded.
            EngineError: the process with the network died or took too long.
            SetupError: the model cannot be loaded, or no process started.
        """

        def make() -> bytes:
            view, explanation = self._explain(question, longest)
            return _to_png(view, question.contract, explanation)

        asked: list[object] = ["explanation", longest, question.model_key, list(question.classes)]
        asked += [question.contract.resize, *question.contract.size_hw]
        return self._maker.make(question.locator, asked, make, known=known)

    def numbers(self, question: Question) -> Explained:
        """The same in numbers.

        Raises:
            InputError: the image cannot be read or decoded.
            EngineError: the process with the network died or took too long.
            SetupError: the model cannot be loaded, or no process started.
        """
        view, explanation = self._explain(question, _SMALLEST)
        return Explained(
            label=question.labels[explanation.class_index],
            explanation=explanation,
            full_hw=view.full_hw,
            box=map_box(view.full_hw, question.contract),
        )

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _explain(self, question: Question, longest: int) -> tuple[View, Explanation]:
        view = self._maker.images.view(question.locator, longest, [question.contract])

        def read_parts() -> tuple[NetworkRecipe, Head | None]:
            with self._database.read() as session:
                model = session.get_one(ModelTable, question.model_id)
            return read_whole_recipe(model, self._database)

        image = view.inputs[question.contract]
        return view, self._process.explain(question.model_key, read_parts, image, question.classes)


def _resize(session: Session, job_id: int, model: ModelTable) -> ResizeMode:
    return model.resize or LabelOptions.from_json(get_job(session, job_id).options).resize


def _classes(labels: Mapping[int, ClassLabel], text: str, model: str) -> tuple[int, ...]:
    """The classes that a text means: the one with that id, or all of that name. ImageNet calls two of its "crane"."""
    by_id = [index for index, label in labels.items() if text in (label.label_id, escape_name(label.label_id))]
    named = [index for index, label in labels.items() if text in (label.label, escape_name(label.label))]
    if not (by_id or named):
        raise UsageError(_describe_unknown(text, [label.label for label in labels.values()], model))
    return tuple(sorted(by_id or named))


def _describe_unknown(text: str, names: Sequence[str], model: str) -> str:
    nearest = get_close_matches(text, names, n=_NUM_SUGGESTIONS, cutoff=0.5)
    suggestion = f" Nearest: {', '.join(nearest)}." if nearest else ""
    return f"Received {text!r} as a class. Expected one of the {len(names)} that {model} knows.{suggestion}"


def _to_png(view: View, contract: PreprocessingContract, explanation: Explanation) -> bytes:
    import cv2  # noqa: PLC0415 - only who asks for pictures waits for it

    painted = lay_over(view.image_rgb, view.full_hw, contract, explanation.contributions)
    _, encoded = cv2.imencode(".png", painted[..., ::-1])
    return encoded.tobytes()
