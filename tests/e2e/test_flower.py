"""Flower, as deploy/flower/flowerconfig.py sets it up, beside a real Redis and a real worker."""

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flower.urls import handlers
from flower_process import Flower, command_of, start_flower
from foreign import log_of
from program import MODEL, Cli, wait_for, wait_for_workers
from server_process import free_port

from core.queues import LABEL_CHUNK_TASK, TRAIN_TASK

QUIET = {"LABELYARD_LOG_FORMAT": "json", "LABELYARD_SWEEP_INTERVAL_S": "1"}
# What shows nothing of Labelyard: whether Flower lives, its own scripts, and the page that says goodbye.
OPEN_TO_ALL = {"/healthcheck", "/static/x", "/login", "/logout"}

Photographs = Callable[..., Path]


@pytest.fixture
def worker(cluster: Cli) -> subprocess.Popen[str]:
    worker = cluster.start("worker", "--preload", MODEL, **QUIET)
    wait_for_workers(cluster)
    return worker


def worker_name(flower: Flower) -> str:
    (name,) = wait_for(lambda: flower.json("/api/workers?refresh=1"), "the worker")
    return str(name)


def dropped_by(worker: subprocess.Popen[str]) -> list[object]:
    """Why the worker dropped messages; ends it."""
    return [line["problem"] for line in log_of(worker) if line["event"] == "message_dropped"]


def addresses(method: str) -> list[str]:
    """An example of each address of Flower's that does something for a method."""
    patterns = [(rule.regex.pattern, rule.target) if hasattr(rule, "regex") else rule[:2] for rule in handlers]
    return [
        pattern.removesuffix("$").removesuffix("/?").replace("(.+)", "x").replace("(.*)", "x")
        for pattern, handler in patterns
        if method in vars(handler) and pattern not in (".*", ".*$")
    ]


def test_it_shows_tasks_with_their_names_and_ids_their_states_and_workers(
    cluster: Cli, worker: subprocess.Popen[str], photographs: Photographs
):
    flower = start_flower(cluster)
    name = worker_name(flower)
    photographs(4)
    job = cluster.json("label", "photographs", "--model", MODEL, "--chunk-size", "4")
    assert (job["state"], job["num_errors"]) == ("done", 0)
    # A sweep may have woken the worker once more; that task ends well, too, and has found nothing to do.
    task = wait_for(
        lambda: next((task for task in flower.json("/api/tasks").values() if task["state"] == "SUCCESS"), None),
        "the task's end",
    )
    assert (task["name"], task["args"], task["worker"]) == (LABEL_CHUNK_TASK, "()", name)
    assert task["kwargs"] == f"{{'job': {job['job_id']}, 'chunk': 1}}"
    assert task["runtime"] > 0
    shown = flower.json("/api/workers?refresh=1")[name]
    assert {LABEL_CHUNK_TASK, TRAIN_TASK} <= set(shown["registered"])
    assert {queue["name"] for queue in shown["active_queues"]} == {"label", "train"}
    assert shown["stats"]["total"][LABEL_CHUNK_TASK] >= 1
    for page in ("/", "/tasks", "/broker", f"/worker/{name}", f"/task/{task['uuid']}"):
        assert flower.ask(page).status == 200, page
    lines = log_of(worker)
    assert [line["problem"] for line in lines if line["event"] == "message_dropped"] == [], (
        "it asks, and orders nothing"
    )


def test_read_only_refuses_every_order_and_the_worker_works_on(
    cluster: Cli, worker: subprocess.Popen[str], photographs: Photographs
):
    flower = start_flower(cluster)
    name = worker_name(flower)
    orders = [address.replace("/x", f"/{name}") for address in addresses("post") if address.startswith("/api/")]
    assert {f"/api/worker/shutdown/{name}", f"/api/worker/pool/grow/{name}"} <= set(orders)
    for order in orders:
        answer = flower.ask(order, data=b"")
        assert (answer.status, "ead only" in answer.text) == (403, True), (order, answer)
    assert "Shut Down" not in flower.ask(f"/worker/{name}").text, "and it has no buttons for them"
    photographs(2)
    assert cluster.json("label", "photographs", "--model", MODEL)["state"] == "done"
    assert worker.poll() is None


def test_with_its_buttons_too_workers_take_no_orders(cluster: Cli, worker: subprocess.Popen[str]):
    flower = start_flower(cluster, FLOWER_READ_ONLY="false")
    name = worker_name(flower)
    assert flower.ask(f"/api/worker/shutdown/{name}", data=b"").status == 200
    assert flower.json("/api/workers?refresh=1")[name]["stats"]["pid"] == worker.pid
    assert dropped_by(worker) == ["'shutdown' is not one of the questions that workers answer"]


def test_without_the_password_nothing_is_shown(cluster: Cli):
    flower = start_flower(cluster)
    closed = set(addresses("get")) - OPEN_TO_ALL
    assert {"/", "/tasks", "/api/tasks", "/api/workers", "/metrics"} <= closed
    for login in (None, "operator:wrong", "operator:", ":p@ss:w0rd", "p@ss:w0rd"):
        for page in closed:
            answer = flower.ask(page, login=login)
            assert answer.status == 401, (page, login)
            assert answer.text in ("", "Access denied"), page
        for order in set(addresses("post")) - OPEN_TO_ALL:
            assert flower.ask(order, login=login, data=b"").status == 401, (order, login)
    assert flower.ask("/healthcheck", login=None).text == "OK"


def test_it_listens_on_this_machine_alone_unless_told_otherwise(cluster: Cli):
    port = urlsplit(start_flower(cluster).address).port
    # Linux answers on all of 127.0.0.0/8 where a server listens on every address.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=5)
    port = urlsplit(start_flower(cluster, FLOWER_ADDRESS="0.0.0.0").address).port
    socket.create_connection(("127.0.0.2", port), timeout=5).close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "FLOWER_BASIC_AUTH is empty"),
        ({"FLOWER_BASIC_AUTH": " , "}, "FLOWER_BASIC_AUTH is empty"),
        ({"FLOWER_BASIC_AUTH": "s3cret"}, "received no password in login 1 of 1"),
        ({"FLOWER_BASIC_AUTH": "operator:"}, "received no password in login 1 of 1"),
        ({"FLOWER_BASIC_AUTH": "one:two,:s3cret"}, "received no name in login 2 of 2"),
    ],
    ids=str,
)
def test_it_does_not_start_without_a_password_and_says_so_in_a_sentence(
    environment: dict[str, str], tmp_path: Path, settings: dict[str, str], expected: str
):
    done = subprocess.run(
        command_of(free_port()),
        env=environment | {"BROKER_URL": "redis://127.0.0.1:1/0"} | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert expected in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr
