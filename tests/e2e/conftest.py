"""Fixtures of end-to-end tests: the real program in real processes, with a state folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pictures import write_labelled_pictures, write_photographs
from program import Cli
from state_folder import find_or_make_keras_home, program_environment


@pytest.fixture(scope="session")
def keras_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Keras cache with weights for `MODEL`: the published ones where they are, else seeded random ones."""
    return find_or_make_keras_home(tmp_path_factory.mktemp("keras"))


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted networks, which all programs share: they follow from the weights, and making them takes seconds."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def make_environment(keras_home: Path, engines: Path) -> Callable[[Path], dict[str, str]]:
    """Makes the environment of a program that has its own state and nobody else's settings."""
    return lambda folder: program_environment(folder / "state", engines=engines, keras_home=keras_home)


@pytest.fixture
def environment(make_environment: Callable[[Path], dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """The environment for one test."""
    return make_environment(tmp_path)


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Iterator[Cli]:
    """The program, embedded."""
    cli = Cli(environment, tmp_path)
    yield cli
    cli.close()


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path, redis_url: str, postgres_url: str) -> Iterator[Cli]:
    """The program, with a real Redis and a real PostgreSQL."""
    servers = {"LABELYARD_BROKER_URL": redis_url, "LABELYARD_DATABASE_URL": postgres_url}
    cli = Cli(environment | servers, tmp_path)
    yield cli
    cli.close()


@pytest.fixture(scope="session")
def make_photographs() -> Callable[[Path, int], Path]:
    """Makes a folder of small pictures, each different."""
    return write_photographs


@pytest.fixture
def photographs(make_photographs: Callable[[Path, int], Path], tmp_path: Path) -> Callable[..., Path]:
    """Makes such a folder in the folder that the program runs in."""
    return lambda num_images, name="photographs": make_photographs(tmp_path / name, num_images)


@pytest.fixture(scope="session")
def make_labelled_pictures() -> Callable[..., Path]:
    """Makes a dataset of class folders: noise on one colour for each class."""
    return write_labelled_pictures
