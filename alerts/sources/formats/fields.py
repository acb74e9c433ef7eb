"""The keys that writers and their tools put on an article, whatever syntax they stand in; no syntax is read here.

Hugo, Jekyll, Eleventy, JSON Feed and JSON-LD name the same few things differently, and each may give a string, a
list or a mapping. A date that cannot be read is an error where it decides when an article may be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from alerts.core.dates import read_moment
from alerts.core.errors import ArticleError

_FALSE = frozenset({"", "false", "no", "off", "n", "f", "0", "null", "none", "~"})
_TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
_UNPUBLISHED = frozenset({"draft", "private", "pending", "unpublished", "future", "trash"})
_NO_DATES = frozenset({"last modified", "created", "git last modified", "git created"})  # Eleventy asks the file system
_MOST_PARTS = 200


@dataclass(frozen=True, slots=True)
class Fields:
    """Keys in lower case with their values; ``where`` says where a key stands, for messages."""

    values: Mapping[str, object]
    where: Callable[[str], str] = "{}: ".format

    def text(self, *keys: str) -> str:
        """Return the first of these that holds text, else an empty string."""
        return next(filter(None, (_text(self.values.get(key)) for key in keys)), "")

    def parts(self, *keys: str) -> list[str]:
        """Return what these hold together: lists flattened, text parted at commas, mappings by their name."""
        return [part for key in keys for part in _parts(self.values.get(key))][:_MOST_PARTS]

    def lines(self, *keys: str) -> list[str]:
        """Return the lines of the first of these that holds any."""
        return next(filter(None, (_lines(self.values.get(key)) for key in keys)), [])

    def names(self, *keys: str) -> str:
        """Return the names of people, joined; a comma in a name belongs to it."""
        found = next(filter(None, (_named(self.values.get(key)) for key in keys)), [])
        return ", ".join(dict.fromkeys(found))

    def moment(self, *keys: str, time_zone: tzinfo) -> datetime | None:
        """Return the first date among these; raise ArticleError for one that cannot be read."""
        for key in keys:
            value = self.values.get(key)
            if _is_no_date(value):
                continue
            moment = read_moment(value, time_zone)
            if moment is None:
                written = " ".join(str(value).split())[:60]
                raise ArticleError(f"{self.where(key)}{written!r} is no date; write it as 2026-01-31")
            return moment
        return None

    @property
    def is_draft(self) -> bool:
        """Whether any of the usual keys says so; what is neither yes nor no counts as yes, for safety."""
        says_draft = _text(self.values.get("draft")).lower() not in _FALSE
        says_unpublished = "published" in self.values and _text(self.values["published"]).lower() in _FALSE - {""}
        return says_draft or says_unpublished or _text(self.values.get("status")).lower() in _UNPUBLISHED


def _text(value: object) -> str:
    """Return a scalar as it was written."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float, date)) else ""


def _parts(value: object) -> Iterable[str]:
    if isinstance(value, list):
        return [part for each in value[:_MOST_PARTS] for part in _named(each)]
    return _text(value).replace(",", ",").split(",") if not isinstance(value, Mapping) else _named(value)


def _lines(value: object) -> list[str]:
    written = [_text(each) for each in value[:_MOST_PARTS]] if isinstance(value, list) else _text(value).splitlines()
    return [line for line in (each.strip().lstrip("•*-").strip() for each in written) if line]


def _named(value: object) -> list[str]:
    """Return the name in a value: text, a mapping with a name, or a list of such."""
    if isinstance(value, list):
        return [name for each in value[:_MOST_PARTS] for name in _named(each)][:_MOST_PARTS]
    if isinstance(value, Mapping):
        return next(filter(None, (_named(value.get(key)) for key in ("name", "title", "label"))), [])
    return [text] if (text := _text(value)) else []


def _is_no_date(value: object) -> bool:
    """Say whether a date's key holds a yes or no (Jekyll's ``published``), nothing, or Eleventy's magic words."""
    if value is None or isinstance(value, bool):
        return True
    return isinstance(value, str) and value.strip().lower() in _FALSE | _TRUE | _NO_DATES
