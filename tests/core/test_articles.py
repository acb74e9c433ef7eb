from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.articles import (
    MAX_ITEM_ID,
    Known,
    content_hash,
    decide,
    disposition,
    evicted_id,
    sight,
    similarity,
    spare_id,
)
from alerts.core.model import Disposition, FirstPoll, Item, Novelty, Source, SourceKind, SourceState

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SHIP = (
    "Workers in Wuhan put the first of the new cars on a ship on Monday, two weeks before anybody thought possible. "
    "The ship sails to Rotterdam, where dealers have waited since autumn. A second one is to follow in February, the "
    "maker said, and a third as soon as the port has room. Buyers were told of a delivery in spring; some of them have "
    "paid in full. The price has not changed since the order books opened, and neither has the range that is promised."
)
PARK = (
    "The city council of Oslo will let nobody but residents park in the centre from the first of May, it was told. "
    "Shops fear for their customers, and two of the parties promised to bring the matter to a vote once more."
)
ITEM = Item(item_id="guid-1", title="Cars leave Wuhan early", body=SHIP, url="https://news.example/cars")
FEED, FOLDER = SourceKind.FEED, SourceKind.FOLDER


def known(item: Item = ITEM, *, article_id: int = 1) -> Known:
    sighting = sight(item, now=NOON)
    return Known(
        article_id=article_id,
        item_id=sighting.item.item_id,
        canonical_url=sighting.canonical_url,
        content_hash=sighting.content_hash,
        title=item.title,
        text=sighting.text,
        published_at=sighting.item.published_at,
    )


def verdict(item: Item, *others: Known, kind: SourceKind = FEED) -> Novelty:
    return decide(sight(item, now=NOON), others or (known(),), kind=kind).novelty


def source(**changes: object) -> Source:
    made = Source(
        id=1,
        name="news.example",
        kind=FEED,
        location="https://news.example/feed",
        every=timedelta(minutes=5),
        first_poll=FirstPoll.SEEN,
        max_age=2 * DAY,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=NOON,
        polled_at=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name real fields


class TestDecide:
    def test_what_nobody_knows_is_new(self) -> None:
        decision = decide(sight(ITEM, now=NOON), (), kind=FEED)

        assert (decision.novelty, decision.known) == (Novelty.NEW, None)

    def test_the_same_again_was_seen(self) -> None:
        assert verdict(ITEM) is Novelty.SEEN

    def test_the_decision_names_the_article(self) -> None:
        assert decide(sight(ITEM, now=NOON), (known(article_id=7),), kind=FEED).known == known(article_id=7)

    @pytest.mark.parametrize(
        "edit",
        [
            {"title": "Cars leave Wuhan sooner"},
            {"body": SHIP + " It rained."},
            {"title": "UPDATE: Cars leave Wuhan early", "body": PARK},
            {"title": "Something else entirely", "body": PARK},
            {"title": "First cars at sea", "url": "https://news.example/cars-at-sea"},
        ],
        ids=["title", "text", "prefixed title", "same link", "link and title"],
    )
    def test_an_edit_under_the_same_id_changed_it(self, edit: dict[str, str]) -> None:
        assert verdict(replace(ITEM, **edit)) is Novelty.CHANGED  # type: ignore[arg-type]  # real fields

    @pytest.mark.parametrize(
        "other",
        [
            {"item_id": "https://news.example/?p=1"},
            {"item_id": "2", "url": "http://www.news.example/cars/?utm_source=x#top"},
            {"item_id": "2", "url": None},
            {"item_id": "2", "url": "https://mirror.example/cars"},
            {"item_id": "2", "title": "  CARS  leave\nWuhan early"},
        ],
        ids=["id", "id and dressed link", "no link", "other link", "spacing and case"],
    )
    def test_another_id_does_not_make_it_new(self, other: dict[str, str]) -> None:
        assert verdict(replace(ITEM, **other)) is Novelty.SEEN  # type: ignore[arg-type]  # real fields

    @pytest.mark.parametrize(
        "edit",
        [
            {"title": "First cars at sea", "body": SHIP + " It rained."},
            {"body": SHIP[:300]},
            {"body": ""},
            {"body": SHIP + PARK},
        ],
        ids=["title and some text", "excerpt", "no text", "more text"],
    )
    def test_an_edit_with_another_id_and_the_same_link_changed_it(self, edit: dict[str, str]) -> None:
        assert verdict(replace(ITEM, item_id="2", **edit)) is Novelty.CHANGED  # type: ignore[arg-type]  # real fields

    def test_a_file_overwritten_with_another_article_is_new(self) -> None:
        other = Item(item_id="a.txt", title="Oslo closes its centre", body=PARK)

        assert verdict(other, known(Item(item_id="a.txt", title=ITEM.title, body=SHIP)), kind=FOLDER) is Novelty.NEW

    def test_a_file_whose_title_alone_or_text_alone_changed_is_the_same_article(self) -> None:
        before = known(Item(item_id="a.txt", title="Cars", body=SHIP))

        assert verdict(Item(item_id="a.txt", title="Ships", body=SHIP), before, kind=FOLDER) is Novelty.CHANGED
        assert verdict(Item(item_id="a.txt", title="Cars", body=PARK), before, kind=FOLDER) is Novelty.CHANGED

    def test_bare_titles_are_compared_by_their_words(self) -> None:
        before = known(Item(item_id="a.txt", title="Cars leave Wuhan early"))

        assert verdict(Item(item_id="a.txt", title="Cars left Wuhan early"), before, kind=FOLDER) is Novelty.CHANGED
        assert verdict(Item(item_id="a.txt", title="Oslo closes its centre"), before, kind=FOLDER) is Novelty.NEW
        assert verdict(Item(item_id="a.txt", title="…", body=PARK), before, kind=FOLDER) is Novelty.NEW

    def test_a_position_used_as_an_id_hides_no_article(self) -> None:
        other = Item(item_id="guid-1", title="Oslo closes its centre", body=PARK, url="https://news.example/oslo")

        assert verdict(other) is Novelty.NEW
        assert verdict(other, known(other, article_id=2), known()) is Novelty.SEEN
        assert verdict(replace(ITEM, item_id="guid-2"), known(other, article_id=2), known()) is Novelty.SEEN

    @pytest.mark.parametrize(
        ("title", "text"),
        [
            ("Version 1.3 released", "Fixes what 1.2 broke."),
            ("Version 1.3 released", ""),
            ("Version 1.2 released", PARK),
        ],
    )
    def test_items_that_share_one_link_are_told_apart(self, title: str, text: str) -> None:
        before = known(
            Item(item_id="1", title="Version 1.2 released", body="Fixes what 1.1 broke.", url="https://a.example/")
        )

        assert verdict(Item(item_id="2", title=title, body=text, url="https://a.example/"), before) is (
            Novelty.CHANGED if not text and title == before.title else Novelty.NEW
        )

    def test_a_title_that_comes_again_weeks_later_under_one_link_is_new(self) -> None:
        before = known(Item(item_id="1", title="Storm warning", url="https://a.example/", published_at=NOON - 7 * DAY))
        again = Item(item_id="2", title="Storm warning", url="https://a.example/", published_at=NOON)

        assert verdict(again, before) is Novelty.NEW
        assert verdict(replace(again, published_at=None), before) is Novelty.SEEN

    def test_a_column_of_the_same_name_each_day_is_new_each_day(self) -> None:
        before = known(Item(item_id="1", title="Morning news", url="https://a.example/1"))

        assert verdict(Item(item_id="2", title="Morning news", url="https://a.example/2"), before) is Novelty.NEW

    def test_the_same_text_under_another_link_days_later_is_new(self) -> None:
        before = known(replace(ITEM, published_at=NOON - 3 * DAY))
        again = replace(ITEM, item_id="2", url="https://news.example/again", published_at=NOON)

        assert verdict(again, before) is Novelty.NEW
        assert verdict(replace(again, published_at=NOON - 2 * DAY), before) is Novelty.SEEN

    def test_an_article_that_shares_nothing_is_passed_over(self) -> None:
        assert verdict(Item(item_id="9", title="Oslo", body=PARK)) is Novelty.NEW

    @given(st.builds(Item, item_id=st.text(), title=st.text(), body=st.text(), url=st.none() | st.text()))
    def test_every_item_is_itself(self, item: Item) -> None:
        for kind in SourceKind:
            decision = decide(sight(item, now=NOON), (known(item),), kind=kind)
            assert decision.novelty is Novelty.SEEN


class TestSight:
    def test_a_date_to_come_is_taken_for_now(self) -> None:
        assert sight(replace(ITEM, published_at=NOON + 900 * DAY), now=NOON).item.published_at == NOON

    @pytest.mark.parametrize("zero", [datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)])
    def test_a_date_of_zero_is_no_date(self, zero: datetime) -> None:
        assert sight(replace(ITEM, published_at=zero), now=NOON).item.published_at is None

    def test_a_believable_date_and_id_stay(self) -> None:
        item = replace(ITEM, published_at=NOON - 9000 * DAY)

        assert sight(item, now=NOON).item == item

    def test_long_ids_stay_apart(self) -> None:
        ids = {sight(replace(ITEM, item_id="长" * 5000 + end), now=NOON).item.item_id for end in "ab"}

        assert len(ids) == 2
        assert all(len(item_id) < MAX_ITEM_ID + 40 for item_id in ids)

    def test_spare_and_evicted_ids_are_short_and_differ(self) -> None:
        long = replace(ITEM, item_id="x" * MAX_ITEM_ID)
        other = replace(long, title="Other")
        ids = {spare_id(sight(long, now=NOON)), spare_id(sight(other, now=NOON)), evicted_id(known(long))}

        assert len(ids) == 3
        assert all(len(item_id) < MAX_ITEM_ID + 60 for item_id in ids)


class TestDisposition:
    def test_the_first_poll_mails_nobody(self) -> None:
        assert disposition(ITEM, source(), first_poll=True, now=NOON) is Disposition.SEEN

    def test_the_first_poll_mails_when_the_operator_wants_it(self) -> None:
        assert disposition(ITEM, source(first_poll=FirstPoll.ALERT), first_poll=True, now=NOON) is Disposition.ALERT

    def test_a_later_poll_mails(self) -> None:
        assert disposition(ITEM, source(), first_poll=False, now=NOON) is Disposition.ALERT

    @pytest.mark.parametrize(("age", "expected"), [(2 * DAY, Disposition.ALERT), (2.1 * DAY, Disposition.STALE)])
    def test_what_is_older_than_max_age_at_first_sight_is_stale(self, age: timedelta, expected: Disposition) -> None:
        assert disposition(replace(ITEM, published_at=NOON - age), source(), first_poll=False, now=NOON) is expected

    def test_without_a_max_age_nothing_is_stale(self) -> None:
        old = replace(ITEM, published_at=NOON - 9000 * DAY)

        assert disposition(old, source(max_age=None), first_poll=False, now=NOON) is Disposition.ALERT


class TestText:
    def test_composed_and_decomposed_letters_are_one(self) -> None:
        assert content_hash(replace(ITEM, title="Citroën")) == content_hash(replace(ITEM, title="Citroe\u0308n"))

    @given(st.text(), st.text())
    def test_similarity_is_a_share_that_goes_both_ways(self, one: str, other: str) -> None:
        assert 0 <= similarity(one, other) == similarity(other, one) <= 1

    def test_an_edited_text_is_more_alike_than_another_one(self) -> None:
        assert similarity(SHIP, SHIP.replace("Monday", "Sunday")) > 0.8
        assert similarity(SHIP, PARK) < 0.05

    def test_scripts_without_spaces_are_compared_by_character(self) -> None:
        text = "小米汽车周一在武汉交付了首批新车比预期提前两周"

        assert similarity(text, text.replace("两周", "三周")) > 0.6
        assert similarity(text, "奥斯陆市中心从五月一日起只允许居民停车") == 0

    def test_texts_of_a_word_or_two_are_compared_too(self) -> None:
        assert similarity("Sold out", "sold  OUT") == 1
        assert similarity("", "") == 0


def test_an_id_that_only_went_to_https_is_the_same_however_it_is_dated_and_edited() -> None:
    old = replace(ITEM, item_id="http://news.example/?p=1", published_at=NOON - 9 * DAY)
    new = replace(ITEM, item_id="https://news.example/?p=1", title="Ships", body="Look.", published_at=NOON)

    assert verdict(new, known(old)) is Novelty.CHANGED
    assert verdict(old, known(new)) is Novelty.CHANGED
    assert verdict(replace(new, item_id="https://news.example/?p=2"), known(old)) is Novelty.NEW
    assert verdict(replace(new, item_id="https://news.example/?p=1#c2"), known(old)) is Novelty.NEW
    assert verdict(replace(new, url="https://news.example/ships"), known(old)) is Novelty.NEW, (
        "another one took it over"
    )
