"""How log lines look: a constant event name and fields, for people or as JSON."""

import logging
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import structlog

from core.settings import LogFormat, Settings


def configure_logging(settings: Settings, *, worker_id: str | None = None) -> None:
    """Send structured log lines to standard error; the standard library's loggers too.

    Args:
        settings: which lines, and how they look.
        worker_id: the worker that this process is of; each of its lines then says so, whichever thread or library
            it is from.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Naming({} if worker_id is None else {"worker_id": worker_id}),
                *_rendering(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level)
    # It names each of its plugins at INFO.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def log_the_rest(logger: structlog.stdlib.BoundLogger) -> None:
    """Have warnings, and errors that nobody catches, logged like everything else, whichever thread they are of.

    For worker processes, all lines of which are read by programs.
    """

    def report(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and not issubclass(kind, KeyboardInterrupt):
            logger.critical("uncaught_error", exc_info=(kind, error, trace))

    logging.captureWarnings(capture=True)
    sys.excepthook = report
    threading.excepthook = lambda args: report(args.exc_type, args.exc_value, args.exc_traceback)


@dataclass(frozen=True, slots=True)
class _Naming:
    """Adds the same fields to each line, unless it has them."""

    fields: Mapping[str, str]

    def __call__(self, logger: object, method: str, line: structlog.types.EventDict) -> structlog.types.EventDict:
        del logger, method
        return {**self.fields, **line}


def _rendering(log_format: LogFormat) -> list[structlog.types.Processor]:
    # Plain, both: the pretty tracebacks show local variables, among them URLs with their passwords.
    if log_format is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    colors = sys.stderr.isatty()
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
