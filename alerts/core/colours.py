"""Colours that a stranger writes into a URL: read strictly, and what can be read upon them."""

from __future__ import annotations

import re
from typing import NamedTuple

_HEX = re.compile(r"[0-9a-f]{6}|[0-9a-f]{3}", re.ASCII | re.IGNORECASE)
_LINEAR_BELOW = 0.04045


class Colour(NamedTuple):
    """Red, green and blue, 0 to 255 each."""

    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        """Write it as CSS does: ``#9b1c1f``."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


def read_colour(text: str | None) -> Colour | None:
    """Read ``9b1c1f`` or ``fff``; None for anything else, a leading ``#`` too, as no URL keeps it.

    >>> str(read_colour("9B1C1F")), str(read_colour("fff")), read_colour("red;}")
    ('#9b1c1f', '#ffffff', None)
    """
    if text is None or not _HEX.fullmatch(text):
        return None
    six = text if len(text) == len("rrggbb") else "".join(digit * 2 for digit in text)
    return Colour(int(six[0:2], 16), int(six[2:4], 16), int(six[4:6], 16))


def contrast(one: Colour, other: Colour) -> float:
    """Return how far apart two colours are to the eye, 1 to 21 (WCAG 2.2).

    >>> contrast(Colour(0, 0, 0), Colour(255, 255, 255))
    21.0
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return round((lighter + 0.05) / (darker + 0.05), 2)


def clearest(on: Colour, *choices: Colour) -> Colour:
    """Return the choice that is read best on a colour."""
    return max(choices, key=lambda choice: contrast(choice, on))


def _luminance(colour: Colour) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= _LINEAR_BELOW else float(((part + 0.055) / 1.055) ** 2.4)
