"""One log for our messages and the libraries': structlog, as lines for people or as JSON, on standard error."""

import logging
import sys
import threading
from typing import Final

import structlog
from structlog.types import Processor

from cercles.settings import LogSettings

OURS: Final = ("cercles", "producers", "stream_processors", "sinks", "readers")
"""Root packages whose loggers follow CERCLES_LOG_LEVEL also below INFO."""

TALKATIVE: Final = ("kafka", "aiokafka", "faust", "mode", "httpx", "httpcore", "uvicorn", "alembic")
"""Libraries that tell of every request, rebalance or start at INFO: only their warnings are kept."""

NERVOUS: Final = ("kafka.net.selector",)
"""Warns of every callback that took a tenth of a second, which on a busy machine is no news."""


def configure_logs(settings: LogSettings) -> None:
    """Send everything that is logged, by structlog or by the standard library, through one renderer.

    The root logger never goes below INFO, whatever the level asked for: libraries that find DEBUG enabled format
    messages that nobody reads, and in the worker that costs an eighth of the time.
    """
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings)],
        )
    )
    level = logging.getLevelNamesMapping()[settings.level]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in NERVOUS:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    threading.excepthook = _log_thread_failure


def _rendering(settings: LogSettings) -> list[Processor]:
    if settings.format == "json":
        # Without local variables: they hold raw bodies, headers and secrets.
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(transformer), structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    ]


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    """A thread's uncaught exception belongs in the log, not beside it."""
    if failure.exc_value is None:
        return
    structlog.get_logger(__name__).error(
        "thread_failed",
        thread=None if failure.thread is None else failure.thread.name,
        exc_info=failure.exc_value,
    )
