"""Colours from a URL are colours, or nothing; and text on them can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.colours import Colour, clearest, contrast, read_colour

BLACK, WHITE = Colour(0, 0, 0), Colour(255, 255, 255)
COLOUR = st.builds(Colour, *[st.integers(0, 255)] * 3)


@pytest.mark.parametrize(("written", "colour"), [("9b1c1f", "#9b1c1f"), ("9B1C1F", "#9b1c1f"), ("fA0", "#ffaa00")])
def test_a_colour_is_three_or_six_digits(written: str, colour: str) -> None:
    assert str(read_colour(written)) == colour


@pytest.mark.parametrize(
    "written",
    [None, "", "#fff", "red", "ff", "ffff", "9b1c1f;", "9b1c1f\n", "٣٣٣", "ggg", "fff}body{display:none", "url(x)"],
)
def test_what_is_no_colour_is_none(written: str | None) -> None:
    assert read_colour(written) is None


@given(st.text(max_size=8))
def test_whatever_is_read_comes_out_as_css_writes_a_colour(written: str) -> None:
    colour = read_colour(written)
    assert colour is None or read_colour(str(colour)[1:]) == colour


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast(BLACK, WHITE) == contrast(WHITE, BLACK) == 21
    assert contrast(Colour(0x76, 0x76, 0x76), WHITE) == 4.54  # the lightest grey that text may have on white


@given(COLOUR)
def test_black_or_white_can_be_read_on_every_colour(colour: Colour) -> None:
    assert contrast(clearest(colour, BLACK, WHITE), colour) >= 4.5
