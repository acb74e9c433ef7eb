"""Where terms stand is quoted from the text as its writer wrote it."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from alerts.core.model import Article, Disposition, Hit, Item
from alerts.core.query import evaluate, parse, prepare
from alerts.core.query.quotes import quotes_of
from alerts.core.text import fold

LONG = "It is said that a long first sentence makes the lead of a text longer than the lead has to be. " * 4


def article(title: str = "T", *, summary: tuple[str, ...] = (), body: str = "", tags: tuple[str, ...] = ()) -> Article:
    item = Item(item_id="a", title=title, summary=summary, body=body, tags=tags, author="Jane Doe", language="en")
    return Article(
        id=1,
        source_id=1,
        source_name="EV Daily",
        item=item,
        content_hash="",
        first_seen_at=datetime(2026, 1, 5, tzinfo=UTC),
        disposition=Disposition.ALERT,
    )


def quoted(query: str, one: Article) -> list[tuple[str, str]]:
    hits = evaluate(parse(query), prepare(one.item, source_name=one.source_name)).hits
    return [(quote.zone, str(quote)) for quote in quotes_of(hits, one)]


def test_case_width_and_signs_stay_as_written() -> None:
    assert quoted("xiaomi e-tron", article("Ｘｉａｏｍｉ’s E‑Tron")) == [
        ("title", "[Ｘｉａｏｍｉ]’s E‑Tron"),
        ("title", "Ｘｉａｏｍｉ’s [E‑Tron]"),
    ]
    assert quoted("recal*", article("A recall")) == [("title", "A [recal]l")]


def test_lead_and_body_are_told_apart_and_the_first_places_shown() -> None:
    one = article(summary=("NIO", "and NIO"), body=f"NIO. {LONG}\n\nLater NIO, NIO and NIO. {LONG}")
    found = quoted("NIO", one)
    assert [zone for zone, _ in found] == ["summary", "summary", "lead", "body", "body"]
    assert found[2][1].startswith("[NIO]. It is")
    assert found[3][1].startswith("Later [NIO], NIO")
    assert found[3][1].endswith("…")


def test_what_stands_far_inside_is_cut_on_both_sides() -> None:
    ((_, text),) = quoted("NIO", article(f"{LONG}NIO {LONG}"))
    assert text.startswith("…")
    assert text.endswith("…")
    assert len(text) < 100


def test_a_feed_s_summary_stands_in_for_its_text() -> None:
    assert ("summary", "[NIO] sells") in quoted("NIO", article(summary=("NIO sells",)))


def test_labels_are_named_and_what_is_not_found_again_is_left_out() -> None:
    one = article(tags=("EV", "Xiaomi"))
    assert quoted("tag:xiaomi source:Daily author:Jane lang:en", one) == [
        ("tag", "[Xiaomi]"),
        ("source", "[EV Daily]"),
        ("author", "[Jane Doe]"),
        ("lang", "[en]"),
    ]
    assert [str(it) for it in quotes_of([Hit(term="小米", zone="tag", count=1)], one)] == ["[EV]", "[Xiaomi]"]
    assert quotes_of([Hit(term="none", zone="title", count=1), Hit(term="a", zone="other", count=1)], one) == ()


@given(st.text(max_size=60), st.sampled_from(["NIO", "e-tron", "小米", "ﬁt"]), st.text(max_size=60))
def test_a_quote_is_a_piece_of_the_line(before: str, term: str, after: str) -> None:
    one = article(f"{before} {term} {after}".replace("\n", " "))
    for quote in quotes_of([Hit(term=term, zone="title", count=1)], one):
        assert quote.found in one.item.title
        assert quote.found
        assert fold(term)
