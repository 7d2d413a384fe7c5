"""Workers: what each does, how it dies, and who takes its place.

A worker is what `workers.working`, `workers.holding` and `workers.sweeper` make of it: two chunks at a time that share
one engine, a lease that is renewed or looked at when a batch has ended, a sweeper beside them. Their constants are
used; their threads and monotonic clocks are not.
"""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from benchmarks.scale_sim.arithmetic import BATCH_IMAGES, FIND_IMAGES
from benchmarks.scale_sim.database import SimulatedDatabase
from benchmarks.scale_sim.loop import Loop, Process, Request, Resume, Station
from benchmarks.scale_sim.scenario import Scenario
from core.jobs import Claim
from workers.holding import RENEWALS_PER_LEASE
from workers.working import CHUNKS_AT_ONCE

# How much workers and chunks differ in speed: standard deviations, as shares.
WORKER_SPREAD, CHUNK_SPREAD = 0.1, 0.05
RACK_DIES_AT_S = 5.0
# Between the last sign of progress and the finish; what freezes here comes back with rows that are too late.
RANKING_S = 0.01


class Worker:
    """One worker process.

    Args:
        loop: simulated time.
        name: what tells it from others.
        speed: how many images a second its engine does.
    """

    def __init__(self, loop: Loop, name: str, speed: float) -> None:
        self.name = name
        self.speed = speed
        self.is_alive = True
        self.engine = Station(loop, 1)
        self.frozen_until_s = 0.0
        self._loop = loop

    def start(self, process: Process) -> None:
        """Be busy with something until it ends, or the worker dies."""

        def resume(value: Any = None) -> None:  # noqa: ANN401 - whatever was waited for
            if not self.is_alive:
                return
            if self._loop.now_s < self.frozen_until_s:
                self._loop.after(self.frozen_until_s - self._loop.now_s, lambda: resume(value))
                return
            try:
                request = process.send(value)
            except StopIteration:
                return
            request(resume)

        resume()

    def compute(self, seconds: float) -> Request:
        """For a process: have the engine for so long."""

        def request(resume: Resume) -> None:
            def done() -> None:
                self.engine.leave()
                resume(None)

            self.engine.enter(lambda: self._loop.after(seconds, done))

        return request


class Fleet:
    """All workers of a scenario, and what befalls them.

    Args:
        loop: simulated time.
        scenario: how many, how fast, how mortal.
        database: what they ask.
    """

    def __init__(self, loop: Loop, scenario: Scenario, database: SimulatedDatabase) -> None:
        self._loop, self._scenario, self._database = loop, scenario, database
        # One for each purpose, so that more deaths do not change how fast workers are.
        self._rng = Random(f"fleet {scenario.seed}")  # noqa: S311 - dice
        self._fate = Random(f"fate {scenario.seed}")  # noqa: S311
        self._names = count(1)
        self._idle: list[tuple[Worker, Resume]] = []
        self.workers: dict[str, Worker] = {}
        self.num_deaths = 0
        self.troubled: set[str] = set()  # those that died or froze: it is right to take their chunks
        for _ in range(scenario.workers):
            self._hire()
        if scenario.rack:
            loop.after(RACK_DIES_AT_S, self._lose_rack)
        for share, act in ((scenario.deaths_per_min, self._die), (scenario.freezes_per_min, self._freeze)):
            if share:
                self._strike(share * scenario.workers / 60.0, act)

    def _hire(self) -> None:
        scenario, rng = self._scenario, self._rng
        speed = scenario.images_per_s * max(0.2, rng.gauss(1.0, WORKER_SPREAD))
        worker = Worker(self._loop, f"worker-{next(self._names)}", speed)
        self.workers[worker.name] = worker
        # They did not all start in the same moment, nor will their sweepers look in the same one.
        begin_s = CHUNKS_AT_ONCE * scenario.chunk_size / speed
        for _ in range(CHUNKS_AT_ONCE):
            worker.start(self._work(worker, rng.uniform(0.0, begin_s)))
        if scenario.sweepers is None or len(self.workers) <= scenario.sweepers:
            worker.start(self._sweep(rng.uniform(0.0, scenario.sweep_interval_s)))

    def _work(self, worker: Worker, begin_s: float) -> Process:
        yield self._loop.wait(begin_s)
        while True:
            lease = yield self._database.claim(worker.name)
            if lease is None:
                yield lambda resume: self._idle.append((worker, resume))
            else:
                yield from self._bring_to_end(worker, lease)

    def _bring_to_end(self, worker: Worker, lease: Claim) -> Process:
        scenario, database = self._scenario, self._database
        yield database.read(lease)
        num_images = lease.num_images * scenario.chunk_size // scenario.rows_per_chunk
        batch_s = BATCH_IMAGES / worker.speed * max(0.2, self._rng.gauss(1.0, CHUNK_SPREAD))
        touched_s = renewed_s = self._loop.now_s
        renewal_s = min(scenario.lease_s / RENEWALS_PER_LEASE, scenario.renewal_interval_s)
        for done in range(0, num_images, BATCH_IMAGES):
            if scenario.with_features and done % FIND_IMAGES == 0:
                yield database.find_features(lease)
            yield worker.compute(batch_s * min(1.0, (num_images - done) / BATCH_IMAGES))
            now_s, is_held = self._loop.now_s, True
            if now_s - renewed_s >= renewal_s:
                is_held = yield database.renew(lease, lease.num_images * done // num_images)
                renewed_s = touched_s = self._loop.now_s
            elif now_s - touched_s >= scenario.look_interval_s:
                touched_s = now_s
                is_held = yield database.look(lease)
            if not is_held:
                return
        if scenario.with_features:
            yield database.save_features(lease)
        yield self._loop.wait(RANKING_S)
        if (yield database.finish(lease)):
            yield database.close(lease)

    def _sweep(self, begin_s: float) -> Process:
        yield self._loop.wait(begin_s)
        while True:
            num_queued = yield self._database.sweep()
            self._wake(num_queued)
            yield self._loop.wait(self._scenario.sweep_interval_s)

    def _wake(self, number: int) -> None:
        """Have idle workers look again; what Redis' wake-ups do."""
        while number and self._idle:
            worker, resume = self._idle.pop(0)
            if worker.is_alive:
                number -= 1
                self._loop.after(0.0, lambda resume=resume: resume(None))  # type: ignore[misc]

    def _strike(self, per_s: float, act: Callable[[Worker], None]) -> None:
        """Let it befall one worker after the other, at random."""

        def strike() -> None:
            if self.workers:
                act(self._fate.choice(list(self.workers.values())))
            self._strike(per_s, act)

        self._loop.after(self._fate.expovariate(per_s), strike)

    def _die(self, worker: Worker) -> None:
        self._bury(worker)
        self._loop.after(self._scenario.replaced_after_s, self._hire)

    def _bury(self, worker: Worker) -> None:
        worker.is_alive = False
        self.num_deaths += 1
        self.troubled.add(worker.name)
        del self.workers[worker.name]

    def _freeze(self, worker: Worker) -> None:
        worker.frozen_until_s = self._loop.now_s + self._scenario.frozen_s
        self.troubled.add(worker.name)

    def _lose_rack(self) -> None:
        for worker in list(self.workers.values())[: self._scenario.rack]:
            self._bury(worker)
