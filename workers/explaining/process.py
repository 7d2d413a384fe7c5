"""Asks the process that has networks. It is started with the first question, and replaced where it dies over one."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.errors import (
    DamagedModelError,
    EngineError,
    EngineTimeoutError,
    LabelyardError,
    MemoryShortError,
    UnknownModelError,
    UsageError,
    WeightsError,
)
from workers.children import ChildProcess
from workers.ml.engines.gradients import BACKENDS
from workers.ml.explaining import Explanation
from workers.ml.heads import Head
from workers.ml.networks import NetworkRecipe
from workers.ml.tensors import to_bytes
from workers.trained import head_tensors

# Importing TensorFlow and reading the weights of the largest networks, on a machine that is busy with other things.
MAX_LOAD_S = 120.0
MAX_EXPLAIN_S = 60.0
# Comparing images or classes goes on with what is loaded; after so long nobody does any more.
MAX_IDLE_S = 300.0
_BACKEND_VARIABLE = "KERAS_BACKEND"
_ERRORS: dict[str, type[LabelyardError]] = {
    kind.__name__: kind
    for kind in (DamagedModelError, EngineError, MemoryShortError, UnknownModelError, UsageError, WeightsError)
}

ReadParts = Callable[[], tuple[NetworkRecipe, Head | None]]


class ExplainingProcess:
    """The process. Threads may share it; it answers one at a time."""

    def __init__(self) -> None:
        self._process = ChildProcess(
            "workers.explaining.child", _explain_end, environment=_environment(), max_idle_s=MAX_IDLE_S
        )
        self._lock = threading.Lock()

    def explain(self, model: str, read_parts: ReadParts, image: np.ndarray, classes: Sequence[int] = ()) -> Explanation:
        """Tell which parts of an image speak for a class.

        Args:
            model: what tells the model from every other that there ever was.
            read_parts: reads the model; called where the process does not have it.
            image: (H, W, 3) uint8 RGB, the network's input.
            classes: of these, the one that the model takes for the likeliest; none: of all.

        Raises:
            EngineTimeoutError: it took too long.
            EngineError: the process died over it, or there is too little memory.
            WeightsError: published weights cannot be had.
            DamagedModelError: what is stored of the model is damaged.
            SetupError: the process cannot be started.
        """
        request = {"do": "explain", "model": model, "classes": list(classes), "size_hw": image.shape[:2]}
        pixels = np.ascontiguousarray(image)
        with self._lock:
            answer = self._ask(request, [pixels], max_s=MAX_EXPLAIN_S)
            if answer.get("is_missing"):
                self._load(model, *read_parts())
                answer = self._ask(request, [pixels], max_s=MAX_EXPLAIN_S)
            contributions = np.frombuffer(self._process.receive(), np.float32).reshape(answer["size_hw"])
        return Explanation(answer["class_index"], contributions, answer["logit"], answer["bias"], answer["score"])

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._process.end()

    def _load(self, model: str, recipe: NetworkRecipe, head: Head | None) -> None:
        parts = [recipe.to_bytes(), b"" if head is None else to_bytes(head_tensors(head), {})]
        self._ask({"do": "load", "model": model}, parts, max_s=MAX_LOAD_S)

    def _ask(self, request: dict[str, Any], parts: Sequence[bytes | np.ndarray], *, max_s: float) -> dict[str, Any]:
        answer = self._process.ask(request, parts, max_s=max_s)
        if "error" in answer:
            raise _ERRORS.get(answer["error"], EngineError)(answer["detail"])
        return answer


def _environment() -> dict[str, str]:
    """One image at a time needs no accelerator, and takes none of its memory from workers."""
    variables = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    if os.environ.get(_BACKEND_VARIABLE, "tensorflow") not in BACKENDS:
        variables[_BACKEND_VARIABLE] = "tensorflow"
    return variables


def _explain_end(returncode: int | None, max_s: float) -> EngineError:
    if returncode in (None, -signal.SIGALRM):
        return EngineTimeoutError(
            f"It took longer than the {max_s:g} seconds that are allowed. Ask again when this machine has less to do."
        )
    how = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    return EngineError(
        f"The process with the network ended ({how}), most likely because memory ran out. Ask again, or give this "
        "machine more."
    )
