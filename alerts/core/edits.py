"""Edits: a channel's query as it was and as it is to be. What that changes, a back-test says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A query that is to take the place of another."""

    slug: str | None  # None: a query that is no channel's yet
    old: str | None  # None: there was none
    new: str
