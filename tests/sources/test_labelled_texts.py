"""How well ``about:`` tells subjects from mentions, on page texts that were labelled before anything was weighed."""

from __future__ import annotations

import pytest
from labelled import FOLDER, HALVES, judgements, precision, recall, texts


@pytest.mark.parametrize("half", HALVES)
def test_about_is_right_nineteen_times_in_twenty(half: str) -> None:
    judged = list(judgements(half))
    wrong = [(one.text, one.name, one.why) for one in judged if one.matched != one.is_subject]
    assert precision(judged) >= 0.95, wrong
    assert recall(judged) >= 0.95, wrong


@pytest.mark.parametrize("half", HALVES)
def test_every_text_is_labelled_and_in_two_languages(half: str) -> None:
    items = [item for item, _ in texts(half)]
    assert len(items) == len(list((FOLDER / half).glob("*.txt"))) >= 20
    assert sum(not item.title.isascii() for item in items) >= 4
