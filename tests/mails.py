"""What the tests of mails are about: a site, its channels, an article, and the readers' links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from alerts.core.messages import Links, SiteIdentity, Templates, compose_alert
from alerts.core.model import Article, Channel, Disposition, Item
from alerts.mail.templates import load_templates

AT = datetime(2026, 1, 5, 12, 0, 7, tzinfo=UTC)
ALICE = "alice@example.com"
MESSAGE_ID = "<17.f00d@news.example>"
SITE = SiteIdentity(
    name="EV Daily",
    url="https://news.example",
    sender="alerts@news.example",
    postal_address="EV Daily Ltd\n12 Harbour Street, Dublin 2, Ireland",
    language="en",
    time_zone="UTC",
)
XIAOMI = Channel(id=1, slug="xiaomi", name="Xiaomi", query="tag:Xiaomi OR about:Xiaomi")
TESLA = Channel(id=2, slug="tesla", name="Tesla", query="about:Tesla")
LINKS = Links.of(SITE, manage="M" * 44, unsubscribe="U" * 44)


@cache
def shipped() -> Templates:
    """Return the templates that we ship."""
    return load_templates(None)


def article(**changes: Any) -> Article:
    """Return an article; ``changes`` are its item's."""
    item = Item(
        item_id="harbour",
        title="Xiaomi opens its third car plant two months early",
        summary=("The plant in Wuhan builds 150,000 cars a year.", "Hiring for a second shift begins in March."),
        body="The first cars left the line on Sunday, the company said.\n\nIt gave no figure for the cost.",
        url="https://ev.example/2026/plant?ref=1&lang=en",
        author="Li Wei",
        language="en",
        published_at=datetime(2026, 1, 4, tzinfo=UTC),
    )
    return Article(
        id=7,
        source_id=1,
        source_name="seeds",
        item=replace(item, **changes),
        content_hash="0",
        first_seen_at=AT,
        disposition=Disposition.ALERT,
    )


def alert(about: Article | None = None, *, channels: Sequence[Channel] = (XIAOMI,), **changes: Any) -> bytes:
    """Compose an alert the plain way."""
    arguments: dict[str, Any] = {
        "templates": shipped(),
        "site": SITE,
        "article": about or article(),
        "channels": channels,
        "recipient": ALICE,
        "links": LINKS,
        "message_id": MESSAGE_ID,
        "dated_at": AT,
        "language": "en",
    }
    return compose_alert(**(arguments | changes))
