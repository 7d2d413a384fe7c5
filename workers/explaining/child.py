"""A process that has networks in memory and tells which parts of an image speak for a class.

Run as `python -m workers.explaining.child`. It has no database and no broker: networks come as recipes, heads as
numbers, images as pixels.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import LabelyardError
from workers.answering import Answer, connect, serve
from workers.ml.explaining import Explainer
from workers.ml.memory import COPIES_LOADED, require_memory
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import from_bytes
from workers.ml.weights import ensure_weights
from workers.trained import BIAS, WEIGHTS

# Two, because versions are compared side by side.
MAX_MODELS = 2


def main() -> None:
    """Answer until the other side is gone, or asks nothing for some minutes."""
    connection = connect(__doc__)
    serve(connection, Explainers().answer)


class Explainers:
    """The models in memory, the least recently asked dropped."""

    def __init__(self) -> None:
        self._explainers: OrderedDict[str, Explainer] = OrderedDict()

    def answer(self, request: dict[str, Any], parts: Sequence[bytes]) -> Answer:
        """Load a model, or explain what one says of an image."""
        try:
            match request["do"]:
                case "load":
                    return self._load(request, *parts)
                case "explain":
                    return self._explain(request, parts[0])
                case unknown:
                    raise ValueError(f"This process cannot {unknown!r}.")
        except LabelyardError as error:
            return {"error": type(error).__name__, "detail": str(error)}, ()

    def _load(self, request: dict[str, Any], recipe_bytes: bytes, head_bytes: bytes) -> Answer:
        while len(self._explainers) >= MAX_MODELS:
            self._explainers.popitem(last=False)
        recipe = NetworkRecipe.from_bytes(recipe_bytes)
        require_memory(recipe.spec, num_copies=COPIES_LOADED)
        if recipe.is_published:
            ensure_weights(recipe.spec)
        backbone, own_head = recipe.build()
        if head_bytes:
            tensors, _ = from_bytes(head_bytes, name=f"The head of {request['model']}")
            weights, bias = tensors[WEIGHTS], tensors[BIAS]
        else:
            assert own_head is not None, "a published network has a head"  # noqa: S101
            weights, bias = own_head.weights, own_head.bias
        self._explainers[request["model"]] = Explainer(backbone, weights, bias)
        return {}, ()

    def _explain(self, request: dict[str, Any], pixels: bytes) -> Answer:
        explainer = self._explainers.get(request["model"])
        if explainer is None:
            return {"is_missing": True}, ()
        self._explainers.move_to_end(request["model"])
        image = np.frombuffer(pixels, np.uint8).reshape(*request["size_hw"], 3)
        explanation = explainer.explain(image, request["classes"])
        contributions = np.ascontiguousarray(explanation.contributions, np.float32)
        header = {
            "class_index": explanation.class_index,
            "logit": explanation.logit,
            "bias": explanation.bias,
            "score": explanation.score,
            "size_hw": contributions.shape,
        }
        return header, [contributions]


if __name__ == "__main__":
    main()
