"""kombu's Redis transport, with a look at each message before anything else touches it.

kombu trusts what it finds in Redis: one line that is no JSON ends the worker's event loop. Here a foreign message is
dropped with one line in the log, and the loop never sees it; `messages` says what is foreign. Every process of ours
uses this transport, by Celery's setting `broker_transport`.
"""

from typing import Any

import redis
import structlog
from kombu.transport import redis as kombu_redis
from redis.client import PubSub

from core.errors import MessageError
from workers.messages import clean_call, clean_question

logger = structlog.get_logger(__name__)


class _Client(redis.Redis):
    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Read a reply; a popped message that is not ours reads as if nothing had come."""
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not reply:
            return reply
        key, message = reply
        queue = key.decode(errors="replace").split(kombu_redis.Channel.sep)[0]
        try:
            return key, clean_call(message, queue)
        except MessageError as error:
            logger.warning("message_dropped", queue=queue, num_bytes=len(message), problem=str(error))
            return None

    def pubsub(self, **kwargs: Any) -> "_PubSub":  # noqa: ANN401 - redis-py's own
        """Make the connection that hears the remote control."""
        return _PubSub(self.connection_pool, **kwargs)


class _PubSub(PubSub):
    def parse_response(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - redis-py's own
        """Read what was published; what is no question reads as if nothing had come."""
        reply = super().parse_response(*args, **kwargs)  # type: ignore[no-untyped-call]
        if not reply or reply[0] != b"pmessage":
            return reply
        *before, message = reply
        try:
            return [*before, clean_question(message)]
        except MessageError as error:
            logger.warning("message_dropped", queue="remote control", num_bytes=len(message), problem=str(error))
            return None


class _Unconfirmed(kombu_redis.QoS):
    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: ANN401 - kombu's own
        """Put back a message that was never confirmed; one that cannot be read is forgotten."""
        try:
            super().restore_by_tag(tag, client=client, leftmost=leftmost)  # type: ignore[no-untyped-call]
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            logger.warning("message_dropped", queue=self.unacked_key, problem=type(error).__name__)
            self._remove_from_indices(tag).execute()  # type: ignore[no-untyped-call]


class _Channel(kombu_redis.Channel):
    QoS = _Unconfirmed

    def _get_client(self) -> type[redis.Redis]:
        return _Client


class Transport(kombu_redis.Transport):
    """Redis, for wake-ups and ticks alone."""

    Channel = _Channel
