"""A changed config is taken over while the daemon runs; a wrong one is refused and the old one kept.

One that only could not be written, since the database was away, is tried again at the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from alerts.app import App
from alerts.config import Config
from alerts.core.errors import AlertsError, DatabaseUnavailableError

_log = structlog.get_logger(__name__)

_NEEDS_RESTART = ("database", "web")


class ConfigFile:
    """Looks at the config file now and then, or when SIGHUP asks, and applies what changed."""

    def __init__(
        self, app: App, read: Callable[[], Config], *, asked: asyncio.Event, after: Callable[[], None]
    ) -> None:
        self._app = app
        self._read = read
        self._asked = asked
        self._after = after
        self._seen = _mark(app.config.path)
        self._waits = False  # for the database

    async def look(self) -> None:
        """Apply the config if the file changed or somebody asked; keep the old one if the new one is wrong."""
        mark = _mark(self._app.config.path)
        if mark == self._seen and not self._asked.is_set():
            return
        self._asked.clear()
        self._seen = mark
        try:
            await self._apply(self._read())
        except DatabaseUnavailableError as error:
            self._asked.set()
            if not self._waits:
                _log.warning("config_waits_for_database", reason=str(error))
            self._waits = True
        except AlertsError as error:
            self._waits = False
            _log.error("config_refused", reason=str(error), kept="the old one")
        else:
            self._waits = False

    async def _apply(self, new: Config) -> None:
        old = self._app.config
        if new == old:
            return
        await self._app.apply(new)
        self._after()
        _log.info("config_applied", file=str(new.path))
        for key in _NEEDS_RESTART:
            if getattr(new, key) != getattr(old, key):
                _log.warning("config_needs_restart", key=key)
        if _catcher_ports(new) != _catcher_ports(old):
            _log.warning("config_needs_restart", key="mail.relays (catcher)")


def _catcher_ports(config: Config) -> list[tuple[str, int]]:
    return [(one.host, one.port) for one in config.mail.relays if one.scheme == "catcher"]


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Tell one version of a file from the next."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
