"""A part of what `make chaos` does, small enough for every day."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.faults.matrix import SCENARIOS
from e2e.faults.stage import Stage

SEED = 4


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, keras_home: Path, engines: Path) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults")
    with Stage(folder, keras_home=keras_home, engines=engines, is_quick=True) as stage:
        yield stage


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.num_in_tests])
def test_every_image_of_an_accepted_job_ends_with_one_row_whatever_dies(stage: Stage, name: str):
    scenario = SCENARIOS[name]
    if reason := scenario.missing():
        pytest.skip(reason)
    outcome = stage.play(scenario, seed=SEED, count=scenario.num_in_tests)
    assert not scenario.problems(outcome, is_timed=False), outcome
