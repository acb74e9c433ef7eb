from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, event, select

from alerts.core.model import Article, Disposition, FirstPoll, Item, Source, SourceKind, SourceState
from alerts.storage import articles as rows
from alerts.storage.articles import Stored, store_items
from alerts.storage.engine import Database
from alerts.storage.schema import articles, channels, matches, sources

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
LONG = (
    "Workers in Wuhan put the first of the new cars on a ship on Monday, two weeks before anybody had thought possible."
)
WORDS = ("Apples ", "Boats ", "Cars ", "Dogs ", "Engines ", "Farms ")
OTHER = "The city council of Oslo will let nobody but residents park in the centre from the first of May, it was told."


def item(number: int, **changes: object) -> Item:
    made = Item(
        item_id=f"guid-{number}",
        title=f"Headline number {number}",
        summary=(f"Summary {number} says something of its own, which is {number * 17}.",),
        body=f"Body {number}.",
        url=f"https://news.example/{number}",
        tags=("Cars", "电动车"),
        tickers=("HKG: 1810",),
        published_at=NOON - timedelta(hours=1),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name real fields


async def a_source(db: Database, *, kind: SourceKind = SourceKind.FEED, polled: bool = True) -> Source:
    source = Source(
        id=0,
        name="news.example",
        kind=kind,
        location="https://news.example/feed.xml",
        every=timedelta(minutes=5),
        first_poll=FirstPoll.SEEN,
        max_age=timedelta(hours=48) if kind is SourceKind.FEED else None,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=NOON,
        polled_at=NOON if polled else None,
    )
    async with db.transaction() as tx:
        source_id = await tx.scalar(
            sources.insert()
            .returning(sources.c.id)
            .values(
                name=source.name,
                kind=kind.value,
                location=source.location,
                origin="cli",
                every_s=300,
                first_poll="seen",
                state="ok",
                next_poll_at=NOON,
                created_at=NOON,
            )
        )
    return replace(source, id=source_id or 0)


async def store(db: Database, source: Source, *items: Item, now: datetime = NOON) -> Stored:
    async with db.transaction() as tx:
        return await store_items(tx, source=source, items=items, now=now)


async def stored(db: Database) -> list[Article]:
    async with db.reading() as tx:
        return sorted(await rows.latest(tx, limit=1000), key=lambda article: article.id)


async def test_a_new_item_is_stored_whole(db: Database) -> None:
    source = await a_source(db)

    result = await store(db, source, item(1))

    (article,) = await stored(db)
    assert article.item == item(1)
    assert result == Stored(new=1, changed=0, seen=0, article_ids=(article.id,))
    assert article.source_name == "news.example"
    assert article.disposition is Disposition.ALERT
    assert article.first_seen_at == NOON
    assert article.matched_at is None


async def test_storing_the_same_again_changes_nothing(db: Database) -> None:
    source = await a_source(db)
    batch = [item(number) for number in range(700)]

    first = await store(db, source, *batch)
    again = await store(db, source, *reversed(batch))

    assert (first.new, len(first.article_ids), len(set(first.article_ids))) == (700, 700, 700)
    assert (again.new, again.changed, again.seen) == (0, 0, 700)
    assert len(await stored(db)) == 700


async def test_what_the_first_poll_finds_is_marked_as_seen(db: Database) -> None:
    source = await a_source(db, polled=False)

    await store(db, source, item(1))

    assert [article.disposition for article in await stored(db)] == [Disposition.SEEN]


async def test_the_caller_may_say_that_it_is_not_the_first_poll(db: Database) -> None:
    source = await a_source(db, polled=False)

    async with db.transaction() as tx:
        await store_items(tx, source=source, items=[item(1)], now=NOON, first_poll=False)

    assert [article.disposition for article in await stored(db)] == [Disposition.ALERT]


async def test_an_edit_is_stored_over_the_article_and_keeps_when_it_was_first_seen(db: Database) -> None:
    source = await a_source(db)
    await store(db, source, item(1))

    result = await store(db, source, item(1, title="Headline number 1, corrected"), now=NOON + timedelta(hours=1))

    (article,) = await stored(db)
    assert (result.new, result.changed, result.seen) == (0, 1, 0)
    assert article.item.title == "Headline number 1, corrected"
    assert article.first_seen_at == NOON
    async with db.reading() as tx:
        assert await tx.scalar(select(articles.c.changed_at)) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    "twin",
    [
        item(1, url="http://www.news.example/1/?utm_source=rss"),
        item(1, item_id="other-guid", url="http://news.example/1#top"),
        item(1, item_id="other-guid", url="https://mirror.example/story"),
    ],
    ids=["id", "link", "content"],
)
async def test_one_story_twice_in_a_batch_is_stored_once(db: Database, twin: Item) -> None:
    source = await a_source(db)

    result = await store(db, source, item(1), twin)

    assert (result.new, len(await stored(db))) == (1, 1)
    assert (await store(db, source, item(1), twin)).new == 0


async def test_a_renamed_file_is_not_new_and_neither_is_an_edit_after_it(db: Database) -> None:
    folder = await a_source(db, kind=SourceKind.FOLDER)
    await store(db, folder, item(1, item_id="a.txt", url=None, body=LONG))

    renamed = await store(db, folder, item(1, item_id="b.txt", url=None, body=LONG))
    edited = await store(db, folder, item(1, item_id="b.txt", url=None, body=LONG + " It rained."))

    assert (renamed.new, renamed.seen) == (0, 1)
    assert (edited.new, edited.changed) == (0, 1)


async def test_a_file_overwritten_with_another_article_is_new_and_both_are_known_from_then_on(db: Database) -> None:
    folder = await a_source(db, kind=SourceKind.FOLDER)
    first = Item(item_id="today.txt", title="Ship leaves Wuhan", body=LONG)
    second = Item(item_id="today.txt", title="Oslo closes its centre", body=OTHER)
    await store(db, folder, first)

    taken_over = await store(db, folder, second)
    edited = await store(db, folder, replace(second, body=OTHER + " Shops protest."))
    back = await store(db, folder, first)
    back_and_edited = await store(db, folder, replace(first, body=LONG + " It rained."))

    assert (taken_over.new, taken_over.changed) == (1, 0)
    assert (edited.new, edited.changed) == (0, 1)
    assert (back.new, back.changed, back.seen) == (0, 0, 1)
    assert (back_and_edited.new, back_and_edited.changed) == (0, 1)
    assert len(await stored(db)) == 2


async def test_ids_that_shift_with_the_position_in_the_feed_lose_nothing(db: Database) -> None:
    source = await a_source(db)
    stories = [item(number, title=f"{word} in the news", summary=(word * 3,)) for number, word in enumerate(WORDS)]

    def window(start: int) -> list[Item]:
        return [replace(story, item_id=str(place)) for place, story in enumerate(stories[start : start + 3])]

    results = [await store(db, source, *window(start)) for start in (3, 2, 1, 0)]

    assert [result.new for result in results] == [3, 1, 1, 1]
    assert [result.changed for result in results] == [0, 0, 0, 0]
    assert (await store(db, source, *reversed(window(0)))).new == 0


async def test_one_link_for_all_items_loses_nothing_and_stays_quick(db: Database) -> None:
    source = await a_source(db)
    batch = [item(number, url="https://news.example/", title="Alert") for number in range(50)]
    batch = [replace(one, summary=(f"{LONG[number:]} {number}" * (number % 3),)) for number, one in enumerate(batch)]
    distinct = [item(number, url="https://news.example/") for number in range(100, 130)]

    await store(db, source, *batch)

    assert (await store(db, source, *batch)).new == 0
    assert (await store(db, source, *distinct)).new == 30


async def test_ids_and_links_of_any_length_are_stored(db: Database) -> None:
    source = await a_source(db)
    long = [item(n, item_id="长" * 5000 + str(n), url=f"https://news.example/{'x' * 5000}{n}") for n in range(2)]

    assert (await store(db, source, *long)).new == 2
    assert (await store(db, source, *long)).new == 0


async def test_articles_of_a_channel_are_found_newest_first(db: Database) -> None:
    source = await a_source(db)
    old = await store(db, source, item(1))
    new = await store(db, source, item(2), now=NOON + timedelta(minutes=1))
    await store(db, source, item(3))
    async with db.transaction() as tx:
        await tx.execute(
            channels.insert().values(
                id=5, slug="x", name="X", query="x", origin="cli", state="active", created_at=NOON, changed_at=NOON
            )
        )
        for article_id in (*old.article_ids, *new.article_ids):
            await tx.execute(
                matches.insert().values(article_id=article_id, channel_id=5, score=1, hits=[], matched_at=NOON)
            )

    async with db.reading() as tx:
        found = await rows.latest(tx, limit=10, channel_id=5)
        assert [article.id for article in found] == [*new.article_ids, *old.article_ids]
        assert await rows.article_by_id(tx, found[0].id) == found[0]
        assert await rows.article_by_id(tx, 999) is None
        assert await rows.count_articles(tx) == rows.Counts(articles=3, unmatched=3, set_aside=0)


@contextmanager
def largest_writes() -> Iterator[list[int]]:
    """Note of each statement that writes how many rows it was given."""
    rows: list[int] = []

    def note(_connection: object, _cursor: object, sql: str, given: object, *_more: object) -> None:
        if sql.startswith(("INSERT INTO articles", "UPDATE articles")):
            rows.append(len(given) if isinstance(given, list) else sql.count("), (") + 1)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield rows
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_a_large_feed_is_written_a_hundred_rows_at_a_time_whatever_became_of_it(db: Database) -> None:
    """All of them at once would keep the event loop waiting while their values are laid out."""
    source = await a_source(db)
    first = [item(number) for number in range(450)]
    edited = [replace(one, body=f"{one.body} Now corrected.") for one in first]
    renamed = [replace(one, item_id=f"new-{one.item_id}") for one in edited]

    with largest_writes() as written:
        for items in (first, edited, renamed):
            async with db.transaction() as tx:
                await store_items(tx, source=source, items=items, now=NOON)

    assert max(written) <= 100
    assert len(written) >= 5 + 5 + 2 * 5
    async with db.reading() as tx:
        kept = [(row.item_id, row.body) for row in await tx.execute(select(articles).order_by(articles.c.id))]
    assert kept == [(one.item_id, one.body) for one in renamed]


async def test_what_was_sighted_before_the_transaction_is_stored_as_it_is(db: Database) -> None:
    source = await a_source(db)
    items = [item(number) for number in range(3)]
    seen = await rows.sighted(items, now=NOON)
    sightings = [replace(one, content_hash=f"hash-{number}") for number, one in enumerate(seen)]

    async with db.transaction() as tx:
        await store_items(tx, source=source, items=items, now=NOON, sightings=sightings)

    async with db.reading() as tx:
        kept = (await tx.scalars(select(articles.c.content_hash).order_by(articles.c.id))).all()
    assert kept == ["hash-0", "hash-1", "hash-2"]
