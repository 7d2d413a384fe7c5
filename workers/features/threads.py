"""The threads of one worker process, shared by all the chunks that it works on."""

from concurrent.futures import ThreadPoolExecutor

# Reading waits for disks and networks more than it computes, so it has more threads than there are cores.
NUM_READING_THREADS = 8
# Whoever waits for an engine; as many as an engine on a processor computes batches at once.
NUM_COMPUTING_THREADS = 2


class WorkerThreads:
    """Who reads, who decodes and who waits for engines. Threads start with the first work.

    Args:
        num_decoding: threads that decode; OpenCV lets go of Python's lock meanwhile.
    """

    def __init__(self, *, num_decoding: int) -> None:
        self.reading = ThreadPoolExecutor(NUM_READING_THREADS, thread_name_prefix="read")
        self.decoding = ThreadPoolExecutor(num_decoding, thread_name_prefix="decode")
        self.computing = ThreadPoolExecutor(NUM_COMPUTING_THREADS, thread_name_prefix="compute")

    def close(self) -> None:
        """Let the threads end; what they have not begun is dropped."""
        for pool in (self.reading, self.decoding, self.computing):
            pool.shutdown(wait=False, cancel_futures=True)
