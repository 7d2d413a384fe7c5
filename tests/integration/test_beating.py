"""Celery beat sends ticks that an orchestrator takes, and stops when nobody does."""

import threading
from collections.abc import Callable
from functools import partial

import pytest
import redis
from program import wait_for
from servers import RedisServer

from core.errors import BrokerError
from core.queues import MAX_TICKS, SCHEDULE_QUEUE
from core.settings import Settings
from orchestrator.serving import beating
from orchestrator.serving.beating import create_tick_app, send_ticks, take_ticks
from orchestrator.serving.services import Service, stop_all
from workers.broker import num_waiting

STOP_S = 30.0


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ticks waited whenever one was about to be sent."""
    found: list[int] = []

    def look(*arguments: object) -> int:
        found.append(num_waiting(*arguments))
        return found[-1]

    monkeypatch.setattr(beating, "num_waiting", look)
    return found


def settings_for(redis_url: str) -> Settings:
    return Settings(broker_url=redis_url, tick_s=0.05)


def nothing() -> None:
    """Tick, with nothing to do."""


def test_ticks_that_nobody_takes_do_not_pile_up(redis_url: str, attempts: list[int]):
    beats = [Service("beat", partial(send_ticks, create_tick_app(settings_for(redis_url), nothing))) for _ in range(2)]
    for beat in beats:
        beat.start()
    wait_for(lambda: len([number for number in attempts if number >= MAX_TICKS]) > 20, "ticks that are not sent")
    assert stop_all(beats, timeout_s=STOP_S)
    with redis.Redis.from_url(redis_url) as broker:
        # Two may find room for one and send two.
        assert MAX_TICKS <= broker.llen(SCHEDULE_QUEUE) <= MAX_TICKS + 1


def test_a_tick_that_fails_does_not_end_the_worker_that_takes_them(redis_url: str):
    num_ticks, lock = [0], threading.Lock()

    def tick() -> None:
        with lock:
            num_ticks[0] += 1
        if num_ticks[0] == 1:
            raise BrokerError("It is away.")
        if num_ticks[0] == 2:
            raise ValueError("A mistake of ours.")

    app = create_tick_app(settings_for(redis_url), tick)
    works: list[Callable[[threading.Event], None]] = [partial(send_ticks, app), partial(take_ticks, app)]
    services = [Service(str(work), work) for work in works]
    for service in services:
        service.start()
    wait_for(lambda: num_ticks[0] > 5, "ticks")
    assert stop_all(services, timeout_s=STOP_S)
    with redis.Redis.from_url(redis_url) as broker:
        assert broker.hlen("unacked") == 0


def test_ticks_go_on_when_the_broker_is_back(own_redis_server: RedisServer):
    ticked = threading.Event()
    app = create_tick_app(settings_for(own_redis_server.url), ticked.set)
    services = [Service("beat", partial(send_ticks, app)), Service("scheduler", partial(take_ticks, app))]
    for service in services:
        service.start()
    wait_for(ticked.is_set, "a tick")
    own_redis_server.kill()
    own_redis_server.start()
    ticked.clear()
    wait_for(ticked.is_set, "a tick")
    assert stop_all(services, timeout_s=STOP_S)
