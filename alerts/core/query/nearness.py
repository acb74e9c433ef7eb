"""Whether terms stand together: how many other words lie among them, within one line of folded text.

In scripts without spaces a character is a word, so ``~5`` means five characters in Chinese.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from alerts.core.query.words import spans_of, word_starts

Names = tuple[tuple[str, bool], ...]  # what may be there for one thing: key, and whether it is a prefix


def count_near(zone: str, things: Sequence[Names], *, within: int) -> int:
    """Count where all ``things`` stand in one line of ``zone``, in any order, with at most ``within`` other words.

    A thing that is asked for twice must be there twice. Takes time in proportion to the text, for each thing.
    """
    wanted = Counter(things)
    return sum(_count_in_line(line, wanted, within) for line in zone.split("\n"))


def _count_in_line(line: str, wanted: Counter[Names], within: int) -> int:
    found = {names: _found(line, names) for names in wanted}
    if any(len(found[names]) < times for names, times in wanted.items()):
        return 0
    # 1. from characters to words: which a term covers, and which are others
    starts = word_starts(line)
    spans = {
        names: [(bisect_left(starts, at), bisect_left(starts, end)) for at, end in found[names]] for names in wanted
    }
    covered = {word for one in spans.values() for first, end in one for word in range(first, end)}
    others = list(accumulate((word not in covered for word in range(len(starts))), initial=0))
    # 2. from each term on, the nearest end of a stretch that holds all of them
    count, free_from = 0, 0
    for first in sorted({first for one in spans.values() for first, _ in one}):
        if first < free_from:
            continue
        end = _end_of_all(first, spans, wanted)
        if end is None:
            break
        if others[end] - others[first] <= within:
            count, free_from = count + 1, max(end, first + 1)
    return count


def _end_of_all(first: int, spans: dict[Names, list[tuple[int, int]]], wanted: Counter[Names]) -> int | None:
    """Return where the shortest stretch from the word ``first`` on that holds all that is wanted ends."""
    ends = []
    for names, times in wanted.items():
        last = bisect_left(spans[names], (first, 0)) + times - 1
        if last >= len(spans[names]):
            return None
        ends.append(spans[names][last][1])
    return max(ends)


def _found(line: str, names: Names) -> list[tuple[int, int]]:
    """Return where any of the names stands; those that may go on and those that may not, together."""
    whole = spans_of(line, [key for key, prefix in names if not prefix])
    begun = spans_of(line, [key for key, prefix in names if prefix], prefix=True)
    spans: list[tuple[int, int]] = []
    for start, end in sorted(whole + begun, key=lambda span: (span[0], -span[1])):
        if not spans or start >= spans[-1][1]:
            spans.append((start, end))
    return spans
