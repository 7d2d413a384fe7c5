"""The client against the real server, also where answers are lost on the way."""

from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
from colours import GREEN, RED, ColourWorker, paint, train
from server_process import HOST, free_port
from web_servers import Quiet, serving

from core.types import JobState, Scope
from db.workers import WorkerIdentity, WorkerReport, report
from orchestrator.client import ApiError, Client, UnreachableError

Serve = Callable[..., httpx.Client]
MakeClient = Callable[..., Client]


class LossyTransport(httpx.HTTPTransport):
    """The network, but for some answers that never arrive."""

    def __init__(self, num_lost: int) -> None:
        super().__init__()
        self.num_lost = num_lost
        self.num_asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        self.num_asked += 1
        if self.num_lost > 0:
            self.num_lost -= 1
            answer.close()
            raise httpx.ReadError("the answer is lost")
        return answer


@pytest.fixture
def client(serve: Serve, token: Callable[..., str]) -> Iterator[Client]:
    with Client(str(serve("0.0.0.0:0").base_url), token(Scope.ADMIN)) as client:
        yield client


def wait_until_planned(client: Client, job_id: int) -> None:
    with closing(client.follow(job_id)) as states:
        assert any(job.is_planned for job in states)


def test_files_are_sent_labelled_read_and_written_to_a_table(
    client: Client, worker: ColourWorker, tmp_path: Path
) -> None:
    files = [paint(tmp_path / "mine" / f"{name}.png", colour, seed=1) for name, colour in (("a", RED), ("b", GREEN))]
    upload = client.upload("mine", files)
    assert (upload.num_files, upload.source) == (2, f"upload:{upload.id}")
    job = client.label([upload.source], ["colours"], top_k=2)
    wait_until_planned(client, job.job_id)
    worker.work()
    assert client.wait(job.job_id).state is JobState.DONE
    results = list(client.results(job.job_id))
    assert [(one.image, one.label) for one in results] == [
        (f"{upload.source}/a.png", "red"),
        (f"{upload.source}/b.png", "green"),
    ]
    assert [score.label for score in results[0].topk] == ["red", "green"]
    client.export(job.job_id, tmp_path / "labels.csv")
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 3


def test_results_of_many_pages_come_as_one(client: Client, worker: ColourWorker, tmp_path: Path) -> None:
    for number in range(7):
        paint(tmp_path / "many" / f"{number}.png", RED, seed=number)
    job = client.label([str(tmp_path / "many")], ["colours"])
    wait_until_planned(client, job.job_id)
    worker.work()
    assert [one.ordinal for one in client.results(job.job_id, limit=2)] == list(range(7))
    assert list(client.results(job.job_id, label="green")) == []
    assert [one.job_id for one in client.jobs(kind="label")] == [job.job_id]


def test_models_are_compared_promoted_and_rolled_back(client: Client, worker: ColourWorker, tmp_path: Path) -> None:
    train(worker.ledger, worker, tmp_path / "photographs", "colours", seed=1)
    assert {model.model for model in client.models()} == {"colours@1", "colours@2"}
    assert client.compare("colours@1", "colours@2").num_common == 8
    assert client.promote("colours", 2).state == "champion"
    assert client.model("colours").model == "colours@2"
    assert client.roll_back("colours").model == "colours@1"


def test_labels_are_said_and_schedules_are_kept(client: Client, worker: ColourWorker, tmp_path: Path) -> None:
    picture = paint(tmp_path / "new" / "x.png", RED, seed=77)
    said = client.say([{"image": str(picture), "label": "red"}], model="colours")
    assert (said.num_added, said.model) == (1, "colours")
    schedule = client.add_schedule("nightly", "colours", "0 3 * * *", tz="Asia/Seoul")
    assert client.schedules() == [schedule]
    assert client.history("nightly") == []
    with worker.ledger.write() as session:
        report(session, WorkerIdentity("anna", "here", 1), WorkerReport())
    assert [one.id for one in client.workers()] == ["anna"]


def test_a_request_whose_answer_is_lost_is_one_job_all_the_same(
    serve: Serve, worker: ColourWorker, tmp_path: Path
) -> None:
    del worker
    paint(tmp_path / "new" / "x.png", RED, seed=77)
    transport = LossyTransport(num_lost=2)
    with Client(str(serve().base_url), transport=transport) as client:
        job = client.label([str(tmp_path / "new")], ["colours"])
        assert transport.num_asked == 3
        assert [one.job_id for one in client.jobs(kind="label")] == [job.job_id]


def test_what_cannot_be_told_twice_apart_is_not_sent_twice(serve: Serve, worker: ColourWorker) -> None:
    del worker
    transport = LossyTransport(num_lost=1)
    with Client(str(serve().base_url), transport=transport) as client, pytest.raises(httpx.ReadError):
        client.promote("colours", 1)
    assert transport.num_asked == 1


def test_a_refusal_is_an_error_with_the_servers_own_words(client: Client) -> None:
    with pytest.raises(ApiError, match="There is no job 77") as caught:
        client.job(77)
    assert caught.value.status == 404
    assert caught.value.problem.type == "urn:labelyard:problem:unknown-job"


def test_a_wrong_token_is_refused(serve: Serve) -> None:
    with (
        Client(str(serve("0.0.0.0:0").base_url), "ly_wrong") as client,
        pytest.raises(ApiError, match="unknown, expired"),
    ):
        list(client.jobs())


def test_names_that_mean_something_in_addresses_arrive_as_they_are(client: Client, tmp_path: Path) -> None:
    names = ["what?.jpg", "no#1.jpg", "100%25.jpg", "a;b c.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    upload = client.upload("odd", [tmp_path / name for name in names])
    folder = tmp_path / "state" / "uploads" / upload.id
    assert {path.name for path in folder.iterdir()} == set(names)


class Busy(Quiet, BaseHTTPRequestHandler):
    """A proxy that says that it gave up, and not whether the request was carried out."""

    num_asked = 0

    def do_POST(self) -> None:
        type(self).num_asked += 1
        self.send_error(504)


def test_what_may_have_been_done_already_is_not_sent_again_after_a_proxy_gave_up() -> None:
    with serving(Busy) as url, Client(url) as client, pytest.raises(ApiError, match="504"):
        client.roll_back("colours")
    assert Busy.num_asked == 1


class Other(Quiet, BaseHTTPRequestHandler):
    """Some other server."""

    def do_GET(self) -> None:
        self.send_error(404)


def test_a_server_that_is_not_ours_is_named() -> None:
    with serving(Other) as url, Client(url) as client, pytest.raises(ApiError, match="not as Labelyard does"):
        client.job(1)


def test_where_nothing_listens_the_error_says_which_address_was_asked_and_what_to_do() -> None:
    url = f"http://{HOST}:{free_port()}"
    with Client(url) as client, pytest.raises(UnreachableError, match=rf"at {url}: .*`labelyard up`.*LABELYARD_URL"):
        client.roll_back("colours")
    with Client(url) as client, pytest.raises(httpx.ConnectError, match=f"at {url}: "):
        next(client.follow(1))
