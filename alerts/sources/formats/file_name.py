"""What a file's name tells when the file does not: a title, and the day in front of a Jekyll post's name."""

from __future__ import annotations

import re
from datetime import date

from alerts.core.dates import read_day

_DATED = re.compile(r"(?P<day>\d{4}-\d{1,2}-\d{1,2})(?:[-_ ]+(?P<rest>.*))?")
_NAMELESS = frozenset({"index", "_index", "readme"})  # page bundles: the folder bears the name


def day_in_name(path_name: str) -> date | None:
    """Return the day of ``2026-01-04-name.md``, or None."""
    found = _DATED.fullmatch(_stem(path_name))
    return read_day(found["day"]) if found else None


def title_in_name(path_name: str) -> str:
    """Return the file's name as a title: ``2026-01-04-byd-seal_launch.md`` → "Byd seal launch"."""
    stem = _stem(path_name)
    found = _DATED.fullmatch(stem)
    words = " ".join(re.split(r"[-_\s]+", (found["rest"] if found else stem) or stem)).strip()
    return words[:1].upper() + words[1:] or path_name


def _stem(path_name: str) -> str:
    *folders, name = path_name.split("/")
    stem = name.rpartition(".")[0] or name
    return folders[-1] if stem.lower() in _NAMELESS and folders else stem
