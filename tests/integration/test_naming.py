"""What users are told who mistype a model's name, on both databases."""

import pytest
from sqlalchemy import insert

from core.errors import UnknownModelError
from core.types import TrainMode
from db.database import Database
from db.model_tables import ModelTable
from orchestrator.naming import parse_model


@pytest.fixture
def insects(ledger: Database) -> Database:
    """A ledger with one trained model."""
    row = {"name": "insects", "version": 1, "backbone": "mobilenet", "mode": TrainMode.HEAD, "created_at": 1.0}
    with ledger.write() as session:
        session.execute(insert(ModelTable).values(**row))
    return ledger


def answer_to(ledger: Database, name: str) -> str:
    with ledger.read() as session, pytest.raises(UnknownModelError) as refused:
        parse_model(session, name)
    return str(refused.value)


def test_a_mistyped_network_is_answered_with_networks_and_with_no_model_that_only_shares_letters(insects: Database):
    said = answer_to(insects, "mobilnet")
    assert said.startswith("No backbone is called 'mobilnet'. Nearest: mobilenet")
    assert "insects" not in said


def test_a_mistyped_model_is_answered_with_the_model_first(insects: Database):
    said = answer_to(insects, "insect")
    assert said.startswith("No model called 'insect' was trained here. Nearest: insects.")


def test_a_name_like_no_other_is_answered_without_a_guess(insects: Database):
    assert "Nearest" not in answer_to(insects, "qqq")
