"""Parts a long list into pages that a link can name; any number that a stranger writes is one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"\A[1-9][0-9]{0,8}\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNumber:
    """A page of a list: the how-manieth, and of how many."""

    number: int
    last: int
    size: int

    @property
    def offset(self) -> int:
        """How many of the list stand on the pages before."""
        return (self.number - 1) * self.size

    @property
    def before(self) -> int | None:
        """The page before, if there is one."""
        return self.number - 1 if self.number > 1 else None

    @property
    def after(self) -> int | None:
        """The page after, if there is one."""
        return self.number + 1 if self.number < self.last else None


def page_number(written: str, *, total: int, size: int) -> PageNumber:
    """Read a page's number: the first for what is none, the last for one beyond it."""
    last = max(1, -(-total // size))
    number = int(written) if _NUMBER.match(written) else 1
    return PageNumber(number=min(number, last), last=last, size=size)
