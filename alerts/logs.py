"""Logs: an event name and key=value, one line each on stderr; no whole address, no token, whatever a caller passes."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

_ADDRESS = re.compile(r"[^\s@<>\"'=,;:(]{1,64}@([^\s@<>\"',;:)]{1,255})")
_TOKEN = re.compile(r"(/(?:u|m|confirm)/)[^\s/?\"']+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def masked(text: str) -> str:
    """Take whole addresses, link tokens and control characters out of a text that goes to a log.

    >>> masked("no such user alice@example.org, see /u/AbCdEf")
    'no such user •••@example.org, see /u/•••'
    """
    return _CONTROL.sub("�", _TOKEN.sub(r"\1•••", _ADDRESS.sub(r"•••@\1", text)))


def _mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: masked(value) if isinstance(value, str) else value for key, value in event.items()}


def set_up(*, verbose: bool = False, json: bool = False) -> None:
    """Send our logs and those of the libraries to stderr in one form; call it once, at start."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    plain = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer() if json else plain,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("aiosqlite", "asyncio", "watchfiles", "uvicorn", "mail.log", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of every tick that finds the last one at work
    for told in ("procrastinate", "psycopg.pool"):  # what matters of them is told by ``alerts.queue.cluster``
        logging.getLogger(told).setLevel(logging.CRITICAL)
