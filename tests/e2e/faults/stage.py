"""Where scenarios play: pictures whose labels are known, clusters that one scenario leaves to the next, folders."""

import itertools
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Self

from e2e.faults import observation
from e2e.faults.cluster import Cluster
from e2e.faults.observation import Labels
from e2e.faults.scenario import QUICK, Outcome, Scenario, Timing
from pictures import write_photographs
from program import MODEL, Cli
from state_folder import program_environment

from db.database import Database

NUM_PHOTOGRAPHS = 480


class Stage:
    """A context manager that ends every cluster it made.

    Args:
        folder: an empty one, for everything.
        keras_home: Keras' cache, with weights for `program.MODEL`.
        engines: a folder for converted networks, which all programs share.
        is_quick: short leases whatever a scenario asks for, as in tests.
    """

    def __init__(self, folder: Path, *, keras_home: Path, engines: Path, is_quick: bool) -> None:
        self.folder = folder
        self.keras_home = keras_home
        self.engines = engines
        self.is_quick = is_quick
        self._stack = ExitStack()
        self._cluster: Cluster | None = None
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        """Make nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs."""
        self._drop_cluster()
        self._stack.close()

    def play(self, scenario: Scenario, *, seed: int, count: int) -> Outcome:
        """Play a scenario; one that breaks down leaves no cluster to the next."""
        with ExitStack() as stack:
            stack.callback(self._drop_cluster)
            # Each has its own numbers, whichever others are played.
            outcome = scenario.run(self, Random(f"{seed} {scenario.name}"), count)
            stack.pop_all()
        return outcome

    @cached_property
    def photographs(self) -> Path:
        """All pictures."""
        return write_photographs(self.folder / "photographs", NUM_PHOTOGRAPHS)

    def images(self, number: int) -> Path:
        """A folder of the first so many pictures."""
        folder = self.folder / f"images-{number}"
        if not folder.exists():
            folder.mkdir()
            for picture in sorted(self.photographs.iterdir())[:number]:
                (folder / picture.name).hardlink_to(picture)
        return folder

    @cached_property
    def labels(self) -> Labels:
        """What the pictures are labelled as when nothing goes wrong."""
        cli = self.cli()
        done = cli("label", self.photographs, "--model", MODEL, "--json")
        assert done.returncode == 0, done.stderr
        ledger = Database(f"sqlite:///{cli.env['LABELYARD_HOME']}/labelyard.db")
        sql = (
            "SELECT name, class_index, score FROM image JOIN result "
            "ON result.job_id = image.job_id AND result.ordinal = image.ordinal"
        )
        found = {name.rpartition("/")[2]: (index, score) for name, index, score in observation.ask(ledger, sql)}
        ledger.close()
        assert len(found) == NUM_PHOTOGRAPHS
        return found

    def cli(self, **env: str) -> Cli:
        """The embedded program with a state folder of its own."""
        folder = self.new_folder("embedded")
        cli = Cli(self.env(folder) | env, folder)
        self._stack.callback(cli.close)
        return cli

    def env(self, folder: Path) -> dict[str, str]:
        """An environment whose state is in a folder."""
        return program_environment(folder / "state", engines=self.engines, keras_home=self.keras_home)

    def cluster(self, timing: Timing, *, is_embedded: bool = False) -> Cluster:
        """A cluster without jobs: the one that is there, if it is of this kind, else a new one."""
        assert self.labels
        there = self._cluster
        if there is not None and (there.timing, there.is_embedded) == (timing, is_embedded) and there.have_ended():
            there.job_ids.clear()
            return there
        self._drop_cluster()
        folder = self.folder / f"cluster-{next(self._numbers)}"
        self._cluster = Cluster(folder, self.env(folder), timing=timing, is_embedded=is_embedded).__enter__()
        return self._cluster

    def timing_of(self, timing: Timing) -> Timing:
        """A scenario's timing, or the quick one."""
        return QUICK if self.is_quick else timing

    def new_folder(self, name: str) -> Path:
        """An empty folder."""
        folder = self.folder / f"{name}-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def _drop_cluster(self) -> None:
        if self._cluster is not None:
            self._cluster.__exit__(None, None, None)
            self._cluster = None
