"""What one recipient's mail costs to make: composed whole, against compiled once and spliced.

Nothing is sent. The ratio is what counts: the times are this machine's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from alerts.core.messages import Links, SiteIdentity, compile_alert, compose_alert
from alerts.core.model import Article, Channel, Disposition, Item
from alerts.core.tokens import Purpose, Secrets, sign
from alerts.mail.templates import load_templates
from alerts.sources.folder import look_at, read_file
from alerts.sources.formats import read_items

SEED = Path(__file__).parents[1] / "seeds" / "xiaomi-yu7-waiting-time.txt"
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
PLAIN, SPLICED = 300, 50_000
SITE = SiteIdentity(
    name="EV Daily",
    url="https://news.example",
    sender="alerts@news.example",
    postal_address="EV Daily Ltd\n12 Harbour Street, Dublin 2, Ireland",
    language="en",
    time_zone="UTC",
)


def main() -> None:
    """Measure and print."""
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

    made = [tokens(subscriber) for subscriber in range(SPLICED)]
    per_plain = _time(plain, PLAIN)
    per_compile = _time(lambda _: compile_alert(**shared), PLAIN // 10)
    per_token = _time(tokens, SPLICED)
    per_splice = _time(lambda n: spliced(n, made[n]), SPLICED)
    if spliced(7, made[7]) != plain(7):
        sys.exit("spliced and plain differ")
    print(f"one alert of {len(plain(7)):,} octets, per recipient")
    print(f"  composed whole        {per_plain:10,.1f} µs")
    print(f"  spliced               {per_splice:10,.1f} µs   {per_plain / per_splice:,.0f} × faster")
    print(f"  its two tokens        {per_token:10,.1f} µs")
    print(f"  compiled, once a mail {per_compile:10,.1f} µs   paid back at recipient {per_compile / per_plain:,.0f}")


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
