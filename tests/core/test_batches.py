from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.core.articles import Known, Sighting, sight
from alerts.core.batches import SAME_PAGE, Batch, place
from alerts.core.model import Item, SourceKind

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
WORDS = ("apples", "boats", "cars", "dogs", "engines", "farms", "glass", "houses", "ink", "jam", "kites", "lamps")


def story(number: int, **changes: object) -> Item:
    word = WORDS[number]
    made = Item(
        item_id=f"guid-{number}",
        title=f"All about {word}",
        body=f"{word} are sold in {word[::-1]} by people who like {word}",
        url=f"https://news.example/{word}",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the tests name real fields


class Ledger:
    """What a database would hold, for batches one after the other."""

    def __init__(self, kind: SourceKind = SourceKind.FEED) -> None:
        self.kind = kind
        self.rows: dict[int, Known] = {}

    def store(self, *items: Item) -> Batch:
        newest_first = sorted(self.rows.values(), key=lambda one: -one.article_id)
        batch = place([sight(item, now=NOON) for item in items], newest_first, kind=self.kind)
        for article_id, item_id in batch.renamed.items():
            self.rows[article_id] = replace(self.rows[article_id], item_id=item_id)
        for change in batch.changes:
            row = self.rows[change.article_id]
            self.rows[change.article_id] = _row(change.sighting, change.article_id, row.item_id)
        for sighting in batch.new:
            article_id = len(self.rows) + 1
            self.rows[article_id] = _row(sighting, article_id, sighting.item.item_id)
        ids = [one.item_id for one in self.rows.values()]
        assert len(ids) == len(set(ids))
        return batch


def _row(sighting: Sighting, article_id: int, item_id: str) -> Known:
    return Known(
        article_id=article_id,
        item_id=item_id,
        canonical_url=sighting.canonical_url,
        content_hash=sighting.content_hash,
        title=sighting.item.title,
        text=sighting.text,
    )


def counts(batch: Batch) -> tuple[int, int, int]:
    return len(batch.new), len(batch.changes), batch.seen


def test_new_changed_and_seen_are_told_apart() -> None:
    ledger = Ledger()
    ledger.store(story(0), story(1))

    batch = ledger.store(story(0), story(1, title="More about boats"), story(2))

    assert counts(batch) == (1, 1, 1)
    assert batch.renamed == {}


def test_a_story_that_stands_in_the_batch_twice_counts_once_as_it_stands_first() -> None:
    ledger = Ledger()

    batch = ledger.store(story(0), story(0, body="older words"), story(0, item_id="other"))
    again = ledger.store(story(0), story(0, body="older words"), story(0, item_id="other"))

    assert [one.item.body for one in batch.new] == [story(0).body]
    assert counts(again) == (0, 0, 1)


def test_an_article_follows_its_item_to_another_id() -> None:
    ledger = Ledger(SourceKind.FOLDER)
    ledger.store(story(0, item_id="a.txt"))

    batch = ledger.store(story(0, item_id="b.txt"))

    assert counts(batch) == (0, 0, 1)
    assert batch.renamed == {1: "b.txt"}


def test_an_article_keeps_its_id_while_an_item_still_bears_it() -> None:
    ledger = Ledger()
    ledger.store(story(0))

    assert ledger.store(story(0, item_id="copy"), story(0)).renamed == {}


def test_an_edit_is_not_lost_to_a_copy_of_what_was_there_before() -> None:
    ledger = Ledger(SourceKind.FOLDER)
    ledger.store(story(0, item_id="a.txt"))

    batch = ledger.store(story(0, item_id="copy.txt"), story(0, item_id="a.txt", title="All about apples, mended"))

    assert counts(batch) == (0, 1, 0)


def test_two_files_that_swap_their_names_swap_their_ids() -> None:
    ledger = Ledger(SourceKind.FOLDER)
    ledger.store(story(0, item_id="a.txt"), story(1, item_id="b.txt"))

    batch = ledger.store(story(1, item_id="a.txt"), story(0, item_id="b.txt"))

    assert counts(batch) == (0, 0, 2)


def test_an_overwritten_file_leaves_its_id_to_the_next_article() -> None:
    ledger = Ledger(SourceKind.FOLDER)
    ledger.store(story(0, item_id="today.txt", url=None))

    taken_over = ledger.store(story(1, item_id="today.txt", url=None))
    back = ledger.store(story(0, item_id="today.txt", url=None))

    assert (counts(taken_over), counts(back)) == ((1, 0, 0), (0, 0, 1))
    assert ledger.rows[1].item_id == "today.txt"
    assert ledger.rows[2].item_id != "today.txt"


def test_one_id_given_to_several_stories_at_once_hides_none_of_them() -> None:
    ledger = Ledger()
    same = [story(number, item_id="0") for number in range(4)]

    first, again, shuffled = ledger.store(*same), ledger.store(*same), ledger.store(*same[::-1])

    assert [counts(batch) for batch in (first, again, shuffled)] == [(4, 0, 0), (0, 0, 4), (0, 0, 4)]


def test_a_source_that_files_everything_under_one_link_is_looked_at_a_few_at_a_time() -> None:
    ledger = Ledger()
    batch = ledger.store(*(story(number, url="https://news.example/") for number in range(len(WORDS))))

    assert len(batch.new) == len(WORDS) > SAME_PAGE
    assert ledger.store(*(story(number, url="https://news.example/") for number in range(len(WORDS)))).new == []


@given(st.lists(st.integers(0, 11), max_size=12), st.randoms(use_true_random=False), st.sampled_from(SourceKind))
def test_whatever_came_before_and_in_whatever_order_each_story_is_new_once(
    numbers: list[int], random: object, kind: SourceKind
) -> None:
    ledger = Ledger(kind)
    new = 0
    for number in numbers:
        window = [story(one, item_id=str(place)) for place, one in enumerate(range(number, min(number + 3, 12)))]
        random.shuffle(window)  # type: ignore[attr-defined]  # hypothesis gives a Random
        new += len(ledger.store(*window).new)

    assert new == len({one for number in numbers for one in range(number, min(number + 3, 12))})
