"""The metamorphic rule: however a feed writes the stories that we know, nobody is alerted; of a new one, once."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from feed_server import FeedServer, answer
from newsroom import NOON, Newsroom, Piece, atom, piece, rss

from alerts.core.model import Disposition
from alerts.services.sources import add_feed
from alerts.storage import articles
from alerts.storage.engine import Database

KNOWN = [piece(number) for number in range(6)]

Write = Callable[[Sequence[Piece]], bytes]


@asynccontextmanager
async def opened(db: Database) -> AsyncIterator[Newsroom]:
    async with FeedServer() as server:
        source = await add_feed(db, server.url(), allow_private=True, now=NOON)
        yield Newsroom(db, server, source.id)


@pytest.fixture
async def newsroom(db: Database) -> AsyncIterator[Newsroom]:
    async with opened(db) as room:
        yield room


@pytest.fixture
async def sqlite_newsroom(sqlite_db: Database) -> AsyncIterator[Newsroom]:
    """Give one for what the chains try on both databases."""
    async with opened(sqlite_db) as room:
        yield room


def each(change: Callable[[Piece], Piece]) -> Write:
    return lambda pieces: rss([change(one) for one in pieces])


def shuffled(pieces: Sequence[Piece]) -> bytes:
    return rss(random.Random(7).sample(list(pieces), len(pieces)))  # noqa: S311 - a test's dice


def through_a_redirector(one: Piece) -> Piece:
    tail = one.guid.rsplit(":", 1)[1]
    return replace(one, link=f"https://feeds.example.net/~r/news/~3/{tail}x/")


def moved(one: Piece) -> Piece:
    return replace(one, link=one.link.replace("news.example", "new-home.example"), guid=one.guid + "#moved")


#: Ways to write the same stories. Each alone, and any after any other, is no news.
SAME: dict[str, Write] = {
    "as before": rss,
    "re-ordered": shuffled,
    "utf-16": lambda pieces: rss(pieces, encoding="utf-16"),
    "windows-1252": lambda pieces: rss(pieces, encoding="windows-1252"),
    "gbk": lambda pieces: rss(pieces, encoding="gbk"),
    "atom": atom,
    "atom in gb18030": lambda pieces: atom(pieces, encoding="gb18030"),
    "other ids": each(lambda one: replace(one, guid=f"https://news.example/?p={abs(hash(one.guid))}")),
    "ids in capitals": each(lambda one: replace(one, guid=one.guid.upper())),
    "ids with spaces": each(lambda one: replace(one, guid=f"\n  {one.guid}\t ")),
    "no ids": each(lambda one: replace(one, guid="")),
    "the link as id": each(lambda one: replace(one, guid=one.link)),
    "http": each(lambda one: replace(one, link=one.link.replace("https:", "http:"))),
    "tracking": each(lambda one: replace(one, link=f"{one.link}?utm_source=rss&utm_medium=feed&fbclid=1")),
    "tracking and other ids": each(
        lambda one: replace(one, link=f"{one.link}/?utm_source=rss", guid=f"new-{one.guid}")
    ),
    "another date": each(lambda one: replace(one, dated="Mon, 05 Jan 2026 11:30:00 GMT")),
    "dated 1970": each(lambda one: replace(one, dated="Thu, 01 Jan 1970 00:00:00 GMT")),
    "dated 2099": each(lambda one: replace(one, dated="Fri, 01 Jan 2099 00:00:00 GMT")),
    "undated": each(lambda one: replace(one, dated="")),
    "no date at all": each(lambda one: replace(one, dated="yesterday, more or less")),
    "redirector": each(through_a_redirector),
    "redirector and other ids": each(lambda one: replace(through_a_redirector(one), guid=f"fb-{one.guid}")),
    "another domain and other ids": each(moved),
    "twice": lambda pieces: rss([*pieces, *pieces]),
    "edited": each(lambda one: replace(one, text=one.text + " Corrected since.")),
    "another headline": each(lambda one: replace(one, title=f"UPDATE: {one.title}")),
    "a later window": lambda pieces: rss(pieces[3:]),
    "empty": lambda _pieces: rss([]),
}

OUTAGES: dict[str, bytes] = {
    "500": answer(status="500 Oops"),
    "login page": answer(b"<!doctype html><title>Log in</title><form>", content_type="text/html"),
    "no body": answer(),
    "cut off": answer(rss([*KNOWN, piece(8)])[:-40]),
    "connection lost": answer(rss([*KNOWN, piece(8)]))[:-40],
    "valid and empty": answer(rss([])),
}


async def expect_silence_then_one_alert(newsroom: Newsroom, write: Write, new: Piece) -> None:
    """The transformed feed alerts nobody; the same with a story more alerts once, and only once."""
    before = len(await newsroom.alerted())
    await newsroom.publish(write(KNOWN))
    assert len(await newsroom.alerted()) == before
    for _ in range(2):
        await newsroom.publish(rss([new, *KNOWN]))
    alerted = await newsroom.alerted()
    assert [one.item.title for one in alerted[: len(alerted) - before]] == [new.title]


@pytest.mark.parametrize("write", SAME.values(), ids=SAME.keys())
async def test_known_stories_alert_nobody_and_one_more_alerts_once(sqlite_newsroom: Newsroom, write: Write) -> None:
    await sqlite_newsroom.publish(rss(KNOWN))

    await expect_silence_then_one_alert(sqlite_newsroom, write, piece(11))


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES.keys())
async def test_an_outage_makes_nothing_new(sqlite_newsroom: Newsroom, outage: bytes) -> None:
    await sqlite_newsroom.publish(rss(KNOWN))
    await sqlite_newsroom.poll(outage)

    await expect_silence_then_one_alert(sqlite_newsroom, atom, piece(11))


@pytest.mark.parametrize("seed", range(4))
async def test_a_chain_of_changes_and_outages_alerts_of_each_new_story_once(newsroom: Newsroom, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    pieces = list(KNOWN)
    await newsroom.publish(rss(pieces))
    titles: list[str] = []
    for step in range(12):
        if chance.random() < 0.3:
            await newsroom.poll(chance.choice(list(OUTAGES.values())), later=timedelta(minutes=5))
        if chance.random() < 0.3:
            pieces.insert(0, piece(6 + step))
            await newsroom.poll(answer(rss(pieces)), later=timedelta(minutes=5))
            titles.insert(0, pieces[0].title)
        name = chance.choice(list(SAME))
        await newsroom.poll(answer(SAME[name](pieces)), later=timedelta(minutes=5))
        assert [one.item.title.removeprefix("UPDATE: ") for one in await newsroom.alerted()] == titles, name


@pytest.mark.parametrize("seed", range(3))
async def test_ids_links_and_dates_that_change_together_are_no_news(newsroom: Newsroom, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test's dice
    await newsroom.publish(rss(KNOWN))

    for step in range(8):
        prefix = chance.choice(["", f"{step}-"])
        scheme, query = chance.choice(["http://www.", "https://"]), chance.choice(["", "?utm_campaign=a", "/#top"])
        dated = chance.choice(["", KNOWN[0].dated, "Fri, 01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"])
        changed = [
            replace(one, guid=prefix + one.guid, link=one.link.replace("https://", scheme) + query, dated=dated)
            for one in chance.sample(KNOWN, len(KNOWN))
        ]
        await newsroom.publish(chance.choice([rss, atom])(changed))
    await newsroom.publish(rss([piece(11), *KNOWN]))

    assert [one.item.title for one in await newsroom.alerted()] == [piece(11).title]


@pytest.mark.parametrize(
    "dated",
    ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2099 00:00:00 GMT", "", "not a date", "Tue, 06 Jan 2026 01:00 GMT"],
)
async def test_a_strange_date_alerts_once_and_pins_nothing(newsroom: Newsroom, dated: str) -> None:
    await newsroom.publish(rss(KNOWN))
    odd = replace(piece(11), dated=dated)
    await newsroom.publish(rss([odd, *KNOWN]))
    for other in ("", "Fri, 01 Jan 2099 00:00:00 GMT", "Mon, 05 Jan 2026 09:00:00 GMT", dated):
        await newsroom.publish(rss([replace(odd, dated=other), *KNOWN]))
        (alerted,) = await newsroom.alerted()
        published_at = alerted.item.published_at
        assert published_at is None or published_at <= newsroom.now

    await newsroom.publish(rss([piece(12), odd, *KNOWN]))

    async with newsroom.db.reading() as tx:
        newest = (await articles.latest(tx, limit=2))[0]
    assert newest.item.title == piece(12).title


async def test_a_feed_that_dates_its_stories_in_the_future_is_no_edit_at_every_poll(newsroom: Newsroom) -> None:
    await newsroom.publish(rss(KNOWN))
    odd = replace(piece(11), dated="Fri, 01 Jan 2099 00:00:00 GMT")
    await newsroom.publish(rss([odd, *KNOWN]))
    (first,) = await newsroom.alerted()

    polled = await newsroom.publish(rss([odd, *KNOWN], head="<pubDate>now</pubDate>"))

    assert (polled.new, polled.changed) == (0, 0)
    assert (await newsroom.alerted()) == [first]


async def test_an_old_story_at_first_sight_is_stored_and_mailed_to_nobody(newsroom: Newsroom) -> None:
    await newsroom.publish(rss(KNOWN))

    await newsroom.publish(rss([replace(piece(11), dated="Fri, 02 Jan 2026 12:00:00 GMT"), *KNOWN]))

    async with newsroom.db.reading() as tx:
        assert (await articles.latest(tx, limit=1))[0].disposition is Disposition.STALE
    assert await newsroom.alerted() == []


async def test_a_site_that_went_to_https_dates_anew_and_edits_at_once_makes_no_news(newsroom: Newsroom) -> None:
    old = [
        replace(one, guid=one.link.replace("https:", "http:"), link=one.link.replace("https:", "http:"))
        for one in KNOWN
    ]
    await newsroom.publish(rss(old))

    moved = [
        replace(one, guid=one.link, text=f"Look {n}.", dated="Fri, 02 Jan 2026 12:00:00 GMT")
        for n, one in enumerate(KNOWN)
    ]
    for feed in (rss(moved), rss(old), atom(moved)):
        assert (await newsroom.publish(feed)).new == 0
    await newsroom.publish(rss([piece(11), *moved]))

    assert [one.item.title for one in await newsroom.alerted()] == [piece(11).title]


async def test_a_story_that_dropped_out_and_comes_back_after_a_month_is_no_news(newsroom: Newsroom) -> None:
    await newsroom.publish(rss(KNOWN))
    await newsroom.publish(rss(KNOWN[1:]))
    newsroom.now += timedelta(days=31)

    for back in (KNOWN[0], replace(KNOWN[0], dated=""), replace(KNOWN[0], guid="again", dated="")):
        await newsroom.publish(rss([back, *KNOWN[1:]]))

    assert await newsroom.alerted() == []


async def test_an_id_that_is_used_again_for_another_story_alerts_once_of_that(newsroom: Newsroom) -> None:
    await newsroom.publish(rss(KNOWN))
    other = replace(piece(11), guid=KNOWN[0].guid)

    for _ in range(2):
        await newsroom.publish(rss([other, *KNOWN[1:]]))
        await newsroom.publish(rss([other, *KNOWN]))

    assert [one.item.title for one in await newsroom.alerted()] == [other.title]


async def test_comments_on_one_page_are_stories_of_their_own_and_told_once(newsroom: Newsroom) -> None:
    page = "https://news.example/story"
    comments = [replace(piece(number), link=f"{page}#comment-{number}") for number in range(6)]
    await newsroom.publish(rss(comments))

    for _ in range(2):
        await newsroom.publish(rss([replace(piece(9), link=f"{page}#comment-9"), *comments]))

    assert [one.item.title for one in await newsroom.alerted()] == [piece(9).title]
