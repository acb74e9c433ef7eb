"""What one recipient's mail costs to make: composed whole, against compiled once and spliced.

Nothing is sent. The ratio is what counts: the times are this machine's. ``--quick`` only shows that it runs; without
it, the table goes into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import report

from alerts.core.messages import Links, SiteIdentity, compile_alert, compose_alert
from alerts.core.model import Article, Channel, Disposition, Item
from alerts.core.tokens import Purpose, Secrets, sign
from alerts.mail.templates import load_templates
from alerts.sources.folder import look_at, read_file
from alerts.sources.formats import read_items

SEED = Path(__file__).parents[1] / "seeds" / "xiaomi-yu7-waiting-time.txt"
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
PLAIN, SPLICED = 300, 50_000
QUICK = 20
SITE = SiteIdentity(
    name="EV Daily",
    url="https://news.example",
    sender="alerts@news.example",
    postal_address="EV Daily Ltd\n12 Harbour Street, Dublin 2, Ireland",
    language="en",
    time_zone="UTC",
)


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="a few of each; nothing is written")
    quick = reader.parse_args().quick
    times = (QUICK, QUICK) if quick else (PLAIN, SPLICED)
    article = Article(
        id=1,
        source_id=1,
        source_name="seeds",
        item=_seed(),
        content_hash="",
        first_seen_at=AT,
        disposition=Disposition.ALERT,
    )
    channels = [Channel(id=1, slug="xiaomi", name="Xiaomi", query="about:Xiaomi")]
    shared: dict[str, Any] = {
        "templates": load_templates(None),
        "site": SITE,
        "article": article,
        "channels": channels,
        "language": "en",
    }
    secrets = Secrets(((1, bytes(32)),))

    def tokens(subscriber: int) -> tuple[str, str]:
        return sign(Purpose.UNSUBSCRIBE, subscriber, 1, secrets), sign(Purpose.MANAGE, subscriber, 0, secrets)

    def plain(subscriber: int) -> bytes:
        unsubscribe, manage = tokens(subscriber)
        return compose_alert(
            **shared,
            recipient=f"reader{subscriber}@example.com",
            links=Links.of(SITE, manage=manage, unsubscribe=unsubscribe),
            message_id=f"<{subscriber}.f00d@news.example>",
            dated_at=AT,
        )

    compiled = compile_alert(**shared)

    def spliced(subscriber: int, own: tuple[str, str]) -> bytes:
        return compiled.splice(
            recipient=f"reader{subscriber}@example.com",
            message_id=f"<{subscriber}.f00d@news.example>",
            unsubscribe_token=own[0],
            manage_token=own[1],
            dated_at=AT,
        )

    made = [tokens(subscriber) for subscriber in range(times[1])]
    per_plain = _time(plain, times[0])
    per_compile = _time(lambda _: compile_alert(**shared), times[0] // 10)
    per_token = _time(tokens, times[1])
    per_splice = _time(lambda n: spliced(n, made[n]), times[1])
    if spliced(7, made[7]) != plain(7):
        sys.exit("spliced and plain differ")
    rows = [
        ["composed whole", f"{per_plain:,.1f} µs", ""],
        ["spliced (goal 5 µs)", f"{per_splice:,.1f} µs", f"{per_plain / per_splice:,.0f} × as fast"],
        ["its two tokens", f"{per_token:,.1f} µs", ""],
        ["compiled, once a mail", f"{per_compile:,.1f} µs", f"paid back at recipient {per_compile / per_plain:,.0f}"],
    ]
    head = f"{report.machine()}. One alert of {len(plain(7)):,} octets, the best of three rounds."
    text = f"{head}\n\n{report.table(['', 'a recipient', ''], rows)}"
    print(text)
    if not quick:
        report.keep("composing", text)


def _seed() -> Item:
    return read_items(SEED.name, read_file(look_at(SEED)), time_zone=UTC).items[0].item


def _time(work: Callable[[int], object], times: int) -> float:
    """Return the microseconds of one of ``times``, the best of three rounds; what is made is dropped at once."""
    best = float("inf")
    for _ in range(3):
        start = perf_counter()
        for number in range(times):
            work(number)
        best = min(best, perf_counter() - start)
    return best / times * 1e6


if __name__ == "__main__":
    main()
