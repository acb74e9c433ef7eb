"""Every error that News Alert raises on purpose.

    AlertsError
    ├── ConfigError (ValueError)         the config file is wrong: file, line, what, what was meant
    ├── InputError (ValueError)          an argument, a CSV row, a query is wrong
    │   ├── QueryError                   a channel's query: line, column
    │   ├── ArticleError                 a file or an item that cannot become an article
    │   └── AddressError                 an email address
    ├── NotFoundError (LookupError)      no such channel, subscriber, delivery …
    ├── SuppressedError                  an address that only its own person can bring back
    ├── LeaseLostError                   this node does no more what one node does for all
    ├── StorageError
    │   ├── DatabaseNewerError           made by a newer version; refuse
    │   ├── DatabaseInUseError           nodes work with it that an upgrade would break; refuse
    │   ├── DatabaseCorruptError         refuse, never re-create
    │   └── DatabaseUnavailableError     locked, full, gone: try again (ConnectionError)
    ├── FetchError                       a feed did not answer with a feed; ``permanent``
    │   └── RefusedTargetError           the URL leads somewhere that we do not go
    └── RelayError                       an SMTP server, not a recipient; ``permanent`` condemns it

The message says what, which one, and what to do next.
"""

from __future__ import annotations

from datetime import timedelta
from textwrap import indent


class AlertsError(Exception):
    """The base of all of ours; the CLI prints it and exits 1."""

    @property
    def drawn(self) -> str:
        """The message for a terminal, which has lines to show a place in."""
        return str(self)


class ConfigError(AlertsError, ValueError):
    """The configuration is wrong; the CLI exits 2. ``drawn`` is the message with the wrong texts in it."""

    def __init__(self, message: str, *, drawn: str | None = None) -> None:
        super().__init__(message)
        self._drawn = drawn

    @property
    def drawn(self) -> str:
        """The message, with what is wrong of a text shown below it."""
        return str(self) if self._drawn is None else self._drawn


class InputError(AlertsError, ValueError):
    """What somebody gave us is wrong; the CLI exits 2 for an argument."""


class QueryError(InputError):
    """A channel's query is wrong, at ``line`` and ``column`` (from 1); ``picture`` shows it with a caret below.

    ``at`` is the same place as a number of characters, from 0.
    """

    def __init__(self, message: str, *, at: int = 0, line: int = 1, column: int = 1, picture: str = "") -> None:
        super().__init__(message)
        self.at = at
        self.line = line
        self.column = column
        self.picture = picture

    @property
    def drawn(self) -> str:
        """The message, and below it the line with a caret under the place."""
        return f"{self}\n{indent(self.picture, '    ')}" if self.picture else str(self)


class ArticleError(InputError):
    """A file or an item cannot become an article; the message is the reason shown to the operator."""


class AddressError(InputError):
    """An email address is not one."""


class NotFoundError(AlertsError, LookupError):
    """There is no such thing; the CLI exits 1."""


class SuppressedError(AlertsError):
    """The address bounced or complained: nobody but its own person brings it back, by confirming."""


class LeaseLostError(AlertsError):
    """Another node took over what one node does for all: whatever was about to be written must not be."""


class StorageError(AlertsError):
    """The database said no."""


class DatabaseNewerError(StorageError):
    """The database was made by a newer version of News Alert."""


class DatabaseInUseError(StorageError):
    """Nodes of an older version work with the database, which an upgrade would break."""


class DatabaseCorruptError(StorageError):
    """The file is not a sound database."""


class DatabaseUnavailableError(StorageError, ConnectionError):
    """The database cannot be reached or written now; the same call may work later."""


class FetchError(AlertsError, ConnectionError):
    """A feed could not be fetched or read; ``permanent`` when asking again is pointless.

    ``retry_after`` is how long the server wants to be left alone.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class RefusedTargetError(FetchError):
    """The URL leads to an address that we do not connect to (private, loopback, link-local …)."""


class RelayError(AlertsError, ConnectionError):
    """A relay could not be used; ``permanent`` condemns it (535, TLS refused), nobody's delivery pays."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
