"""Between frozen values and rows: the one place that knows how an outcome is stored."""

import json
from typing import Any

from core.jobs import ImageError, Outcome, Prediction


def result_row(job_id: int, outcome: Outcome) -> dict[str, Any]:
    """An outcome as a row of `db.tables.ResultTable`."""
    row: dict[str, Any] = {
        "job_id": job_id,
        "ordinal": outcome.ordinal,
        "model_id": outcome.model_id,
        "class_index": None,
        "score": None,
        "topk": None,
        "reason": None,
        "detail": None,
    }
    match outcome.result:
        case Prediction(class_indices, scores):
            row |= {"class_index": class_indices[0], "score": scores[0]}
            row["topk"] = json.dumps(list(zip(class_indices, scores, strict=True)), separators=(",", ":"))
        case ImageError(reason, detail):
            row |= {"reason": reason, "detail": detail}
    return row


def read_topk(text: str) -> list[tuple[int, float]]:
    """The classes and probabilities of a stored prediction, best first."""
    return [(int(class_index), float(score)) for class_index, score in json.loads(text)]
