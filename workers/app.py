"""The Celery app, made when it is asked for. Every setting that is not Celery's default has its reason here."""

import os
from collections.abc import Sequence
from typing import Any

from celery import Celery

from core.errors import BrokerError
from core.queues import SCHEDULE_QUEUE, TICK_TASK, Queue
from core.settings import Settings
from workers.broker_url import check_url

# A child imports TensorFlow before it answers; Celery's own patience is 4 seconds.
CHILD_START_TIMEOUT_S = 300.0
# How long a worker that was asked to stop lets its child go on. What has not ended by then is given back.
SOFT_SHUTDOWN_S = 1.0
# A worker notices within twice this long, and a second, that its connection to Redis went dark.
HEALTH_CHECK_S = 10


def create_app(settings: Settings, *, include: Sequence[str] = ("workers.tasks",)) -> Celery:
    """Make the Celery app for a broker.

    Args:
        settings: which broker.
        include: the modules of its tasks. Those of workers take over the process that imports them.

    Raises:
        BrokerError: no broker is set, or its URL cannot be used.
    """
    if settings.broker_url is None:
        raise BrokerError(
            "LABELYARD_BROKER_URL is empty, so there is no broker. Set it to redis://HOST:6379/0, or leave it and "
            "use embedded mode."
        )
    url = settings.broker_url.get_secret_value()
    uses_tls = check_url(url)
    app = Celery("labelyard", broker=url, include=include)
    app.conf.update(celery_config())
    if uses_tls:
        # Without this, kombu speaks plain text where the URL has no option that begins with ssl_.
        app.conf.broker_use_ssl = {"ssl_cert_reqs": "required"}
    return app


def celery_config() -> dict[str, Any]:
    """Celery's settings; see docs/adr/0001 for why a message is only a wake-up."""
    return {
        # Ids only, as JSON; the transport lets nothing else in, so that no foreign message is ever executed.
        "broker_transport": "workers.transport:Transport",
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_ignore_result": True,
        "task_default_queue": Queue.LABEL,
        "task_routes": {queue.task: {"queue": queue} for queue in Queue} | {TICK_TASK: {"queue": SCHEDULE_QUEUE}},
        # A worker takes one wake-up at a time and confirms it after the work.
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,  # the ledger retries, not the broker
        "worker_prefetch_multiplier": 1,
        "worker_disable_prefetch": True,
        # TensorFlow does not survive a fork; one child per device, and only it imports TensorFlow.
        "worker_pool": "prefork",
        "worker_pool_start_method": "spawn",
        "worker_concurrency": 1,
        "worker_proc_alive_timeout": CHILD_START_TIMEOUT_S,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_S,
        # Flower shows what runs.
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "task_track_started": True,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            # Notice a connection that went dark. Without the last two, the first message after a reconnect is lost.
            "socket_timeout": 5,
            "socket_connect_timeout": 5,
            # A waiting worker has no timeout; it is asked this often whether the other end is still there.
            "health_check_interval": HEALTH_CHECK_S,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def prepare_worker_environment() -> None:
    """Set what Celery reads from the environment when it is imported: SIGTERM then means a soft shutdown."""
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
