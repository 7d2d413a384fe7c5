"""Between frozen values and rows: the one place that knows how an outcome is stored."""

import json

from core.items import escape_name
from core.jobs import ImageError, Outcome, Prediction
from db.bulk import Row

RESULT_COLUMNS = (
    "job_id",
    "ordinal",
    "model_id",
    "class_index",
    "score",
    "topk",
    "reason",
    "detail",
    "sha256",
    "needs_review",
)


def result_row(job_id: int, outcome: Outcome) -> Row:
    """An outcome as a row of `db.tables.ResultTable`, in the order of `RESULT_COLUMNS`."""
    key = (job_id, outcome.ordinal, outcome.model_id)
    seen = (outcome.sha256, outcome.needs_review)
    match outcome.result:
        case Prediction(class_indices, scores):
            pairs = ",".join([f"[{index},{score!r}]" for index, score in zip(class_indices, scores, strict=True)])
            return (*key, class_indices[0], scores[0], f"[{pairs}]", None, None, *seen)
        case ImageError(reason, detail):
            return (*key, None, None, None, reason.value, escape_name(detail), *seen)


def read_topk(text: str) -> list[tuple[int, float]]:
    """The classes and probabilities of a stored prediction, best first."""
    return [(int(class_index), float(score)) for class_index, score in json.loads(text)]
