"""How well ``about:`` tells subjects from mentions, and what it costs: precision, recall, every error, ms an article.

The texts are those of the tests; see docs/decisions/0050. ``--quick`` writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "servers"))
from labelled import HALVES, Judgement, judgements, precision, recall, texts

from alerts.core.boilerplate import trim
from alerts.core.model import Item
from alerts.core.query import Prepared, evaluate, parse, prepare

ROUNDS, QUICK = 20, 1


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="one round; nothing is written")
    quick = reader.parse_args().quick
    rows = [_row(half, rounds=QUICK if quick else ROUNDS) for half in HALVES]
    head = ["about:", "texts", "judgements", "precision", "recall", "characters a text", "ms to lay out", "µs a name"]
    text = f"{report.machine()}.\n\n{report.table(head, rows)}\n\nErrors: {'; '.join(_errors()) or 'none'}."
    print(text)
    if not quick:
        report.keep("about", text)


def _row(half: str, *, rounds: int) -> list[str]:
    judged = list(judgements(half))
    items = [item for item, _ in texts(half)]
    laid_out = min(_time(lambda: [_lay_out(item) for item in items]) for _ in range(rounds)) / len(items)
    prepared, query = [_lay_out(item) for item in items], parse("about:Xiaomi")
    asked = min(_time(lambda: [evaluate(query, one) for one in prepared]) for _ in range(rounds)) / len(items)
    length = statistics.mean(map(report.characters, items))
    counts = [str(len(items)), str(len(judged)), f"{precision(judged):.3f}", f"{recall(judged):.3f}"]
    return [half.replace("_", " "), *counts, f"{length:,.0f}", f"{laid_out * 1e3:.2f}", f"{asked * 1e6:.0f}"]


def _lay_out(item: Item) -> Prepared:
    """Lay an article out as matching does, without captions and notes."""
    return prepare(trim(item).item, source_name="Bench")


def _time(work: Callable[[], object]) -> float:
    """Return the seconds of one round: the best of several, since whatever else the machine does only adds to it."""
    begun = perf_counter()
    work()
    return perf_counter() - begun


def _errors() -> list[str]:
    return [_error(half, one) for half in HALVES for one in judgements(half) if one.matched != one.is_subject]


def _error(half: str, one: Judgement) -> str:
    what = "missed" if one.is_subject else "taken for the subject"
    return f"{one.name} in {half}/{one.text} {what} (`{one.why}`)"


if __name__ == "__main__":
    main()
