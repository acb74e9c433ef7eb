from __future__ import annotations

import pytest

from alerts.core.errors import InputError
from alerts.core.feed_choice import MOST_LINKS, FeedLink, choose, in_order

NEWS = FeedLink(url="https://cars.example/feed", title="Cars")
COMMENTS = FeedLink(url="https://cars.example/comments/feed", title="Cars » Comments Feed")
ATOM = FeedLink(url="https://cars.example/atom")


def test_feeds_of_comments_come_last() -> None:
    assert in_order([COMMENTS, NEWS, ATOM]) == (NEWS, ATOM, COMMENTS)


def test_a_feed_that_is_offered_twice_is_offered_once_by_its_first_name() -> None:
    assert in_order([NEWS, ATOM, FeedLink(url=NEWS.url, title="again")]) == (NEWS, ATOM)


def test_no_page_offers_more_than_fifty() -> None:
    assert len(in_order(FeedLink(url=f"https://cars.example/{number}") for number in range(200))) == MOST_LINKS


def test_the_only_feed_needs_no_choice() -> None:
    assert choose([NEWS], None) == NEWS


def test_a_number_chooses() -> None:
    assert choose([NEWS, ATOM], 2) == ATOM


def test_several_are_listed_with_how_to_choose() -> None:
    with pytest.raises(InputError) as raised:
        choose([NEWS, ATOM], None)

    assert str(raised.value) == (
        "the page offers 2 feeds; add --choose NUMBER, or give its address:\n"
        "  1  https://cars.example/feed  Cars\n"
        "  2  https://cars.example/atom"
    )


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_number_that_none_has_is_said(number: int) -> None:
    with pytest.raises(InputError, match=f"offers 1 feed, and none has the number {number};"):
        choose([NEWS], number)
