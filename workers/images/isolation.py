"""Images in processes of their own: one that kills or stops its process is an error row, and its neighbours none.

Slower than threads, as every file and every result goes through a pipe, and so only for images under suspicion, and for
whoever has no supervisor that would replace it.
"""

import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import LifoQueue
from typing import Any, Self

import numpy as np

from core.errors import InputError
from core.items import Locator, MemberLocator, locator_to_text
from core.preprocessing import PreprocessingContract
from core.types import Reason
from workers.children import ChildProcess
from workers.images.frames import contracts_to_json
from workers.images.loading import Images
from workers.images.views import View
from workers.ml.resizing import prepare

# Each process unpacks a compressed archive up to the member that it is asked for. The lease lasts for longer.
MAX_UNPACKING_S = 240.0
_MODULE = "workers.images.child"
_VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}


class IsolatedImages(Images):
    """Images in disposable processes; a context manager that ends them.

    Args:
        num_processes: how many images are read or decoded at the same time. Each process starts when it is needed.
        max_image_s: how long an image may take.
        environment: variables in which the processes differ from this one, such as limits.
        max_idle_s: processes that had nothing to do for so long are ended, and others started when there is something;
            None: they are kept.
    """

    def __init__(
        self,
        *,
        num_processes: int,
        max_image_s: float,
        environment: Mapping[str, str] | None = None,
        max_idle_s: float | None = None,
    ) -> None:
        self._max_image_s = max_image_s
        variables = {**_VARIABLES, **(environment or {})}
        self._processes = [
            ChildProcess(_MODULE, _explain, environment=variables, max_idle_s=max_idle_s) for _ in range(num_processes)
        ]
        # The last one first, so that no more are started than are needed at once.
        self._idle: LifoQueue[ChildProcess] = LifoQueue()
        for process in self._processes:
            self._idle.put(process)
        self._is_closed = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes."""
        self.close()

    def read(self, locator: Locator) -> bytes | np.ndarray:
        """Read it in a process."""
        max_s = MAX_UNPACKING_S if isinstance(locator, MemberLocator) else self._max_image_s
        with self._process() as process:
            answer = _ask(process, {"do": "read", "locator": locator_to_text(locator)}, max_s=max_s)
            data = process.receive()
        if answer["shape"] is None:
            return data
        return np.frombuffer(data, np.uint8).reshape(answer["shape"])

    def fill(self, data: bytes | np.ndarray, slots: Mapping[PreprocessingContract, np.ndarray]) -> None:
        """Decode it in a process; an array's pixels are there already."""
        if isinstance(data, np.ndarray):
            for contract, slot in slots.items():
                prepare(data, contract, slot)
            return
        with self._process() as process:
            request = {"do": "fill", "contracts": contracts_to_json(slots.keys())}
            _ask(process, request, [data], max_s=self._max_image_s)
            for slot in slots.values():
                process.receive_into(slot)

    def view(self, locator: Locator, longest: int, contracts: Collection[PreprocessingContract] = ()) -> View:
        """Read and decode an image for somebody to look at; one that is compressed with others has no more time.

        Args:
            locator: where it is.
            longest: its longer side in the view, in pixels, at the most.
            contracts: of networks whose inputs are to come with it.

        Raises:
            InputError: the image cannot be read or decoded.
        """
        request = {
            "do": "view",
            "locator": locator_to_text(locator),
            "longest": longest,
            "contracts": contracts_to_json(contracts),
        }
        with self._process() as process:
            answer = _ask(process, request, max_s=self._max_image_s)
            image_rgb = np.empty((*answer["size_hw"], 3), np.uint8)
            inputs = {contract: np.empty((*contract.size_hw, 3), np.uint8) for contract in contracts}
            for pixels in (image_rgb, *inputs.values()):
                process.receive_into(pixels)
        height, width = answer["full_hw"]
        return View(image_rgb, (height, width), inputs)

    def place_stamp(self, locator: Locator) -> str | None:
        """What changes with the local file that an image is in; None: it is elsewhere, and nothing tells.

        Raises:
            InputError: the file is not there, or may not be read.
        """
        with self._process() as process:
            request = {"do": "stamp", "locator": locator_to_text(locator)}
            stamp: str | None = _ask(process, request, max_s=self._max_image_s)["stamp"]
        return stamp

    def close(self) -> None:
        """End the processes, each when its image is done."""
        # Threads may still be on images, or come with some more, that nobody waits for: the lease was lost.
        self._is_closed = True
        for process in [self._idle.get() for _ in self._processes]:
            process.end()
            self._idle.put(process)

    @contextmanager
    def _process(self) -> Iterator[ChildProcess]:
        process = self._idle.get()
        try:
            if self._is_closed:
                raise InputError(Reason.UNREADABLE, "It came when its processes had been ended.")
            yield process
        finally:
            self._idle.put(process)


def _ask(
    process: ChildProcess, request: dict[str, Any], parts: Sequence[bytes] = (), *, max_s: float
) -> dict[str, Any]:
    answer = process.ask(request, parts, max_s=max_s)
    if "reason" in answer:
        raise InputError(Reason(answer["reason"]), answer["detail"])
    return answer


def _explain(returncode: int | None, max_s: float) -> InputError:
    if returncode in (None, -signal.SIGALRM):
        return InputError(
            Reason.TIMED_OUT,
            f"Reading or decoding it took longer than the {max_s:g} seconds that are allowed. Save it again from its "
            "origin, out of an archive that takes long to unpack, or raise LABELYARD_MAX_IMAGE_S, then "
            "`labelyard jobs retry`.",
        )
    if returncode == -signal.SIGKILL:
        return InputError(
            Reason.OUT_OF_MEMORY,
            "The process that decoded it was killed, most likely because the machine ran out of memory. It may be "
            "malicious; save it again from its origin, or give workers more memory, then `labelyard jobs retry`.",
        )
    how = f"signal {-returncode}" if returncode < 0 else f"exit status {returncode}"
    return InputError(
        Reason.DECODER_CRASHED,
        f"The process that decoded it crashed ({how}). It may be malicious or hit a bug in a decoder; look at it in a "
        "sandbox, or save it again from its origin.",
    )
