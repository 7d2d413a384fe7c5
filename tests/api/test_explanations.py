"""What speaks for a class, over HTTP: a real server, and real networks in a process of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from ledger_steps import accept
from picture_jobs import at, job_of
from pictures import encoded, scene
from problems import kind

from core.items import FileLocator
from core.jobs import JobRequest, LabelOptions
from core.labels import ClassLabel
from core.preprocessing import PreprocessingContract
from core.types import ArtifactKind, JobKind, Priority, ResizeMode, Scope, TrainMode
from db.artifacts import complete_artifacts, write_artifact
from db.database import Database
from db.ledger import accepting
from db.ledger.progress import models_of
from db.models import NewModel, add_version, ensure_labels
from workers.explaining import process
from workers.ml.backbones import build_backbone
from workers.ml.catalog import get_backbone
from workers.ml.explaining import Explainer
from workers.ml.heads import Head
from workers.ml.resizing import prepare
from workers.ml.tensors import to_bytes
from workers.ml.variables import collect_variables
from workers.ml.weights import imagenet_labels
from workers.trained import head_tensors

# Explanations need the database for one look-up; networks take the time.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Serve = Callable[..., httpx.Client]
LABELS = (ClassLabel("cat", "1"), ClassLabel("crane", "2"), ClassLabel("crane", "3"), ClassLabel("dög & co", "4"))


def explanation(api: httpx.Client, job_id: int, ordinal: int = 0, **options: object) -> httpx.Response:
    headers = options.pop("headers", {})
    return api.get(f"/api/v1/jobs/{job_id}/images/{ordinal}/explanation", params=options, headers=headers)


def numbers(answer: httpx.Response) -> dict:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


class OwnModel:
    """A small network with random weights, stored as one that was trained here."""

    def __init__(self, ledger: Database, resize: ResizeMode) -> None:
        self.resize = resize
        self.backbone = build_backbone(get_backbone("lenet-5"), weights=None, seed=3)
        random = np.random.default_rng(3)
        self.head = Head(
            random.normal(size=(84, len(LABELS))).astype(np.float32),
            random.normal(size=len(LABELS)).astype(np.float32),
            LABELS,
        )
        with ledger.write() as session:
            model = add_version(session, NewModel("own", "lenet-5", TrainMode.SCRATCH, resize, LABELS))
            self.id, self.label = model.id, model.label
        network = write_artifact(
            ledger, self.id, ArtifactKind.NETWORK, to_bytes(collect_variables(self.backbone.network), {})
        )
        head = write_artifact(ledger, self.id, ArtifactKind.HEAD, to_bytes(head_tensors(self.head), {}))
        with ledger.write() as session:
            complete_artifacts(session, self.id, [network, head])

    def accept(self, ledger: Database) -> int:
        with ledger.write() as session:
            options = LabelOptions(chunk_size=4)
            request = JobRequest("test", (self.id,), [{"text": "x"}], "hash", options, Priority.BULK, JobKind.LABEL)
            return accepting.accept(session, request)

    def explain(self, image_rgb: np.ndarray, classes: Sequence[int]):
        image = prepare(image_rgb, PreprocessingContract((32, 32), self.resize))
        return Explainer(self.backbone, self.head.weights, self.head.bias).explain(image, classes)


@pytest.fixture
def own(ledger) -> OwnModel:
    return OwnModel(ledger, ResizeMode.CROP)


@pytest.fixture
def own_job(ledger, own, tmp_path) -> int:
    """A job of the model on one picture."""
    return job_of(ledger, [at(tmp_path / "a.png", encoded(scene(), ".png"))], job_id=own.accept(ledger))


def test_a_model_of_ones_own_is_explained_on_what_it_sees(api, ledger, tmp_path):
    locator = at(tmp_path / "a.png", encoded(scene(), ".png"))
    boxes = {ResizeMode.CROP: (3, 11, 42, 42), ResizeMode.STRETCH: (0, 0, 48, 64), ResizeMode.PAD: (-8, 0, 64, 64)}
    for resize, box in boxes.items():
        own = OwnModel(ledger, resize)
        job_id = job_of(ledger, [locator], job_id=own.accept(ledger))

        answer = numbers(explanation(api, job_id, model=own.label, label="cat", format="json"))

        expected = own.explain(scene(), [0])
        assert (answer["model"], answer["label"], answer["label_id"]) == (own.label, "cat", "1")
        assert (answer["height"], answer["width"]) == (48, 64)
        assert tuple(answer["box"].values()) == box
        assert answer["logit"] == pytest.approx(expected.logit, abs=1e-4)
        assert answer["score"] == pytest.approx(expected.score, abs=1e-4)
        np.testing.assert_allclose(answer["map"], expected.contributions, rtol=0, atol=1e-5)


def test_the_picture_is_the_image_with_colours_on_it_and_is_kept(api, own_job):
    answer = explanation(api, own_job)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    shown = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert shown.shape == scene().shape
    small = explanation(api, own_job, size=32)
    assert cv2.imdecode(np.frombuffer(small.content, np.uint8), cv2.IMREAD_COLOR).shape == (24, 32, 3)
    assert np.abs(shown.astype(int) - scene()).max() > 50

    again = explanation(api, own_job, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = explanation(api, own_job, label="cat", headers={"If-None-Match": answer.headers["etag"]})
    assert other.status_code == 200


def test_it_comes_as_numbers_to_who_accepts_nothing_else(api, own_job):
    for accept_header, options, media_type in (
        ("application/json", {}, "application/json"),
        ("application/json", {"format": "png"}, "image/png"),
        ("image/avif,image/webp,*/*;q=0.8", {}, "image/png"),
        ("*/*", {"format": "json"}, "application/json"),
    ):
        answer = explanation(api, own_job, headers={"Accept": accept_header}, **options)
        assert answer.headers["content-type"] == media_type
        assert answer.headers["vary"] == "Accept"


def test_a_class_is_meant_by_name_or_by_id_and_of_equal_names_the_likelier(api, own, own_job):
    def label_id(**options: str) -> str:
        return numbers(explanation(api, own_job, format="json", **options))["label_id"]

    likelier = own.explain(scene(), [1, 2]).class_index
    assert label_id(label="crane") == LABELS[likelier].label_id
    assert [label_id(label=one.label_id) for one in LABELS] == ["1", "2", "3", "4"]
    assert label_id(label="dög & co") == "4"
    assert label_id() == LABELS[own.explain(scene(), []).class_index].label_id


def test_what_is_not_there_is_said(api, ledger, own, own_job, tmp_path):
    unlabelled = job_of(ledger, [at(tmp_path / "b.png", encoded(scene(), ".png"))])
    gone = job_of(ledger, [at(tmp_path / "c.png", b"no picture")], job_id=own.accept(ledger))
    for answer, status, problem in (
        (explanation(api, own_job, model="mobilenet@1"), 409, "usage"),
        (explanation(api, own_job, label="cats"), 409, "usage"),
        (explanation(api, own_job, 1), 404, "unknown-job"),
        (explanation(api, 99), 404, "unknown-job"),
        (explanation(api, unlabelled), 409, "state"),
        (explanation(api, gone), 409, "image-not-an-image"),
        (explanation(api, own_job, format="gif"), 422, "unreadable-request"),
        (explanation(api, own_job, label="a\x00b"), 422, "unreadable-request"),
        (explanation(api, own_job, size=9999), 422, "unreadable-request"),
    ):
        assert (answer.status_code, kind(answer)) == (status, problem)
    assert "Nearest: cat" in explanation(api, own_job, label="cats").json()["detail"]


def test_a_model_whose_numbers_are_gone_is_said(api, ledger, own, own_job):
    with ledger.write() as session:
        complete_artifacts(session, own.id, [])
    answer = explanation(api, own_job)
    assert (answer.status_code, kind(answer)) == (409, "damaged-model")


def test_what_takes_too_long_is_ended_and_the_next_one_is_answered(api, own_job, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(process, "MAX_LOAD_S", 0.05)
        answer = explanation(api, own_job)
        assert (answer.status_code, kind(answer)) == (504, "engine-timeout")
    assert explanation(api, own_job).status_code == 200


def test_too_little_memory_is_no_mistake_of_the_asker(serve, own_job, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import workers.ml.memory as memory\nmemory.available_bytes = lambda **_: 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(process.__file__).parents[2]}")
    answer = explanation(serve(), own_job)
    assert (answer.status_code, kind(answer)) == (503, "engine")
    assert answer.headers["retry-after"]


def test_who_may_read_may_ask(serve, token, own_job):
    guarded = serve("0.0.0.0:0")
    assert explanation(guarded, own_job).status_code == 401
    headers = {"Authorization": f"Bearer {token(Scope.READ)}"}
    assert explanation(guarded, own_job, headers=headers).status_code == 200


def test_an_animal_is_found_where_it_is_and_in_the_mirror_on_the_other_side(
    api, ledger, test_data, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_HOME", str(test_data / "keras"))
    zebra = cv2.imread(str(test_data / "data" / "imagenet_samples" / "n02391049_zebra.JPEG"))
    picture = np.full((300, 400, 3), 128, np.uint8)
    picture[60:240, 20:200] = cv2.resize(zebra, (180, 180), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(tmp_path / "left.png"), picture)
    cv2.imwrite(str(tmp_path / "right.png"), picture[:, ::-1])
    job_id = accept(ledger, backbone="mobilenet-0.25")
    with ledger.write() as session:
        (model,) = models_of(session, job_id)
        ensure_labels(session, model.id, imagenet_labels())
    job_of(ledger, [FileLocator(str(tmp_path / name)) for name in ("left.png", "right.png")], job_id=job_id)

    middles = []
    for ordinal in (0, 1):
        answer = numbers(explanation(api, job_id, ordinal, label="zebra", format="json"))
        heat = np.array(answer["map"])
        assert heat.sum() == pytest.approx(answer["logit"] - answer["bias"], abs=1e-3)
        column = np.maximum(heat, 0).sum(axis=0) @ (np.arange(heat.shape[1]) + 0.5) / np.maximum(heat, 0).sum()
        box = answer["box"]
        middles.append(box["left"] + column * box["width"] / heat.shape[1])
    assert 70 < middles[0] < 200 < middles[1] < 330
