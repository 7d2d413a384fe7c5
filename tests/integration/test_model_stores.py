"""The stores of models: versions, champions, artifacts in parts, features, samples. On both databases."""

import hashlib

import pytest
from sqlalchemy import func, select, update

from core.errors import DamagedModelError, LeaseLostError, UsageError
from core.features import FeatureKey
from core.labels import ClassLabel
from core.training import EpochMetrics, TrainingRecord
from core.types import ArtifactKind, ResizeMode, Split, TrainMode
from db import artifacts
from db.artifacts import complete_artifacts, read_artifact, write_artifact
from db.database import Database
from db.features import find_features, save_features
from db.model_tables import ArtifactPartTable, ModelTable
from db.models import NewModel, add_version, list_models
from db.promotions import champion_of, promote, roll_back
from db.results import class_labels
from db.trainings import NewEvaluation, TrainedModel, add_epoch, epochs_of, evaluations_of, make_ready

LABELS = (ClassLabel("Hat", "0"), ClassLabel("Cube \udcff", "1"))  # a folder's name may be no UTF-8
RECORD = TrainingRecord({}, 10, 90, 5, 3, {"train": {"Hat": 4}}, 0, 0, 6, 0, 1.5, None, ("a note",))


def new_version(ledger: Database, name: str = "parts", mode: TrainMode = TrainMode.HEAD) -> int:
    with ledger.write() as session:
        return add_version(session, NewModel(name, "mobilenet", mode, ResizeMode.PAD, LABELS)).id


def ready_version(ledger: Database, name: str = "parts") -> int:
    model_id = new_version(ledger, name)
    artifact_id = write_artifact(ledger, model_id, ArtifactKind.HEAD, b"numbers")
    evaluation = NewEvaluation("photos", Split.VAL, 9, 0.75, {"ece": 0.1})
    with ledger.write() as session:
        model = session.get_one(ModelTable, model_id)
        make_ready(session, model, TrainedModel((artifact_id,), "f" * 64, 1.25, RECORD, (evaluation,)))
    return model_id


def champion(ledger: Database, name: str = "parts") -> int | None:
    with ledger.read() as session:
        found = champion_of(session, name)
        return None if found is None else found.version


def test_versions_count_up_by_name_and_keep_their_labels(ledger: Database):
    new_version(ledger)
    second = new_version(ledger)
    new_version(ledger, "other")
    with ledger.read() as session:
        assert [model.label for model in list_models(session)] == ["other@1", "parts@2", "parts@1"]
        assert tuple(class_labels(session, second).values()) == LABELS


def test_a_head_shares_its_backbones_network_and_a_fine_tuned_model_has_its_own(ledger: Database):
    ids = [new_version(ledger, mode=mode) for mode in TrainMode]
    with ledger.read() as session:
        networks = {session.get_one(ModelTable, model_id).network for model_id in ids}
        assert networks == {"mobilenet", "parts@2", "parts@3"}
        own = select(ModelTable.version).where(ModelTable.network.in_(["parts@2"]))
        assert session.scalars(own).all() == [2]


def test_the_first_version_that_is_ready_is_the_champion_and_later_ones_wait_to_be_promoted(ledger: Database):
    unfinished = new_version(ledger)
    assert champion(ledger) is None
    ready_version(ledger)
    third = ready_version(ledger)
    assert champion(ledger) == 2
    with ledger.write() as session:
        assert session.get_one(ModelTable, third).parent_id is not None
        assert promote(session, session.get_one(ModelTable, third))
        assert not promote(session, session.get_one(ModelTable, third))
        with pytest.raises(UsageError, match=r"parts@1 is not trained yet"):
            promote(session, session.get_one(ModelTable, unfinished))
    assert champion(ledger) == 3


def test_rolling_back_returns_to_the_champion_before_and_stops_at_the_first(ledger: Database):
    first = ready_version(ledger)
    second = ready_version(ledger)
    with ledger.write() as session:
        promote(session, session.get_one(ModelTable, second))
        assert roll_back(session, "parts").id == first
    assert champion(ledger) == 1
    with ledger.write() as session, pytest.raises(UsageError, match=r"parts@1 is the first champion"):
        roll_back(session, "parts")


def test_a_model_becomes_ready_with_its_record_and_evaluations(ledger: Database):
    model_id = ready_version(ledger)
    with ledger.read() as session:
        model = session.get_one(ModelTable, model_id)
        assert model.ready_at is not None
        assert (model.temperature, model.fingerprint) == (1.25, "f" * 64)
        assert TrainingRecord.from_json(model.training or {}) == RECORD
        (evaluation,) = evaluations_of(session, model_id)
        assert (evaluation.split, evaluation.accuracy, evaluation.metrics) == (Split.VAL, 0.75, {"ece": 0.1})


def test_a_large_artifact_comes_back_from_its_parts(ledger: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(artifacts, "PART_BYTES", 1000)
    model_id, data = new_version(ledger), bytes(range(256)) * 20
    artifact_id = write_artifact(ledger, model_id, ArtifactKind.NETWORK, data)
    assert read_artifact(ledger, model_id, ArtifactKind.NETWORK) is None, "it does not count before it is complete"
    with ledger.write() as session:
        complete_artifacts(session, model_id, [artifact_id])
        assert session.scalars(select(func.count()).select_from(ArtifactPartTable)).one() == 6
    assert read_artifact(ledger, model_id, ArtifactKind.NETWORK) == data


def test_the_parts_of_an_artifact_are_at_most_8_mib(ledger: Database):
    model_id = new_version(ledger)
    write_artifact(ledger, model_id, ArtifactKind.NETWORK, bytes(17 * 1024**2))
    with ledger.read() as session:
        sizes = session.scalars(select(func.length(ArtifactPartTable.data))).all()
    assert sorted(sizes) == [1024**2, 8 * 1024**2, 8 * 1024**2]


def test_completing_artifacts_deletes_the_checkpoints_before_them(ledger: Database):
    model_id = new_version(ledger)
    write_artifact(ledger, model_id, ArtifactKind.CHECKPOINT, b"old")
    head = write_artifact(ledger, model_id, ArtifactKind.HEAD, b"new")
    with ledger.write() as session:
        complete_artifacts(session, model_id, [head])
        assert session.scalars(select(ArtifactPartTable.data)).all() == [b"new"]


def test_a_worker_that_lost_its_lease_while_it_wrote_an_artifact_is_told_so(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifacts, "PART_BYTES", 4)
    model_id = new_version(ledger)

    class Overtaken(bytes):
        """Another worker completes its own file before the second part is read."""

        def __getitem__(self, key: object) -> bytes:
            if isinstance(key, slice) and key.start:
                with ledger.write() as session:
                    complete_artifacts(session, model_id, [])
            return super().__getitem__(key)  # type: ignore[index]

    with pytest.raises(LeaseLostError, match="deleted in the meantime"):
        write_artifact(ledger, model_id, ArtifactKind.CHECKPOINT, Overtaken(b"12345678"))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ({"data": b"others!"}, "part 0 does not have its sha256"),
        ({"data": b"others!", "sha256": hashlib.sha256(b"others!").hexdigest()}, "with another"),
        ({"number": 7}, "part 0 is missing"),
    ],
)
def test_a_damaged_artifact_is_an_error_that_names_it(ledger: Database, damage: dict[str, object], expected: str):
    model_id = ready_version(ledger)
    with ledger.write() as session:
        session.execute(update(ArtifactPartTable).values(**damage))
    with pytest.raises(DamagedModelError, match=rf"^The head of parts@1 is damaged: .*{expected}"):
        read_artifact(ledger, model_id, ArtifactKind.HEAD)


def test_features_are_found_by_content_extractor_and_variant(ledger: Database):
    plain, copy = FeatureKey("a" * 64), FeatureKey("a" * 64, "light/1")
    with ledger.write() as session:
        save_features(session, "mobilenet/crop", {plain: b"1234", copy: b"5678"})
        save_features(session, "mobilenet/crop", {plain: b"9999"})
    with ledger.read() as session:
        found = find_features(session, "mobilenet/crop", [plain, copy, FeatureKey("b" * 64)])
        assert found == {plain: b"1234", copy: b"5678"}, "what is stored first stays"
        assert find_features(session, "mobilenet/crop", [copy]) == {copy: b"5678"}
        assert find_features(session, "mobilenet/pad", [plain]) == {}


def test_thousands_of_features_are_found_at_once(ledger: Database):
    keys = [FeatureKey(f"{number:064x}") for number in range(1300)]
    with ledger.write() as session:
        save_features(session, "x", {key: key.sha256[-4:].encode() for key in keys})
    with ledger.read() as session:
        assert find_features(session, "x", keys) == {key: key.sha256[-4:].encode() for key in keys}


def test_an_epoch_that_is_run_again_replaces_its_rows_and_those_behind_it(ledger: Database):
    model_id = new_version(ledger)

    def metrics(number: int, loss: float) -> list[EpochMetrics]:
        return [
            EpochMetrics(number, TrainMode.HEAD, split, loss, 0.5, 0.001, 0.1) for split in (Split.TRAIN, Split.VAL)
        ]

    with ledger.write() as session:
        for number in (1, 2, 3):
            add_epoch(session, model_id, metrics(number, 1.0))
        add_epoch(session, model_id, metrics(2, 9.0))
    with ledger.read() as session:
        assert epochs_of(session, model_id) == metrics(1, 1.0) + metrics(2, 9.0)
