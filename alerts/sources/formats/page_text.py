"""``.txt``: a page's text becomes an Item; how a page's text is read stands in ``core.page_text``."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo

from alerts.core.dates import read_moment
from alerts.core.items import Parsed, ParsedItem, make_item
from alerts.core.page_text import read_page_text

# Where a day begins first. A page prints the day it was written on, wherever that was: it is no embargo to the hour.
_FIRST_ON_EARTH = timezone(timedelta(hours=14))


def read(path_name: str, text: str, time_zone: tzinfo) -> Parsed:
    """Return the one item of a page's text; a printed day that has begun nowhere yet makes it wait."""
    page = read_page_text(text)
    item = make_item(
        item_id=path_name,
        title=page.title,
        summary=page.summary,
        body=page.body,
        tags=page.tags,
        published_at=read_moment(page.published_on, time_zone),
    )
    begins_at = None
    if page.published_on is not None:
        begins_at = datetime.combine(page.published_on, time(), tzinfo=_FIRST_ON_EARTH).astimezone(UTC)
    return Parsed(items=(ParsedItem(item=item, not_before_at=begins_at),))
