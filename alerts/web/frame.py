"""What a page needs to be shown in a frame on a foreign site, and its colours: the one place where that is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode

from alerts.core.colours import Colour, clearest, contrast, read_colour
from alerts.web.guard import page_policy

#: Of a page for a frame. Everything else may be framed by nobody (``guard``).
FRAME_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": page_policy(scripts=True, framed_by="*"),
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
)
COLOURS = ("accent", "paper", "ink")  # what a publisher may choose

_WHITE, _BLACK = Colour(255, 255, 255), Colour(0, 0, 0)
_PAPER, _LIGHT_ACCENT, _DARK_INK = Colour(0xFD, 0xFC, 0xF9), Colour(0x9B, 0x1C, 0x1F), Colour(0x1D, 0x1B, 0x18)
_DARK_ACCENT, _LIGHT_INK = Colour(0xFF, 0x8F, 0x85), Colour(0xEC, 0xE8, 0xE0)


def chosen_colours(wishes: Mapping[str, str]) -> dict[str, str]:
    """Return the colours among the wishes (a query, a form), as a link or a form may carry them on."""
    read = {name: read_colour(wishes.get(name)) for name in COLOURS}
    return {name: str(colour)[1:] for name, colour in read.items() if colour is not None}


def colours_link(chosen: Mapping[str, str]) -> str | None:
    """Return the stylesheet of these colours; None where none is chosen, and the reader's own setting decides."""
    return f"/embed.css?{urlencode(chosen)}" if chosen else None


def stylesheet(wishes: Mapping[str, str]) -> str:
    """Write the stylesheet of the colours among the wishes: what is missing is made to be read with what is there."""
    read = {name: read_colour(wishes.get(name)) for name in COLOURS}
    if not any(read.values()):
        return ""
    paper = read["paper"] or _PAPER
    is_dark = contrast(paper, _WHITE) > contrast(paper, _BLACK)
    ink = read["ink"] or clearest(paper, _DARK_INK, _LIGHT_INK)
    accent = read["accent"] or clearest(paper, _LIGHT_ACCENT, _DARK_ACCENT)
    values = {
        "paper": str(paper),
        "ink": str(ink),
        "accent": str(accent),
        "accent-ink": str(clearest(accent, _WHITE, _BLACK)),
        "ink-soft": "color-mix(in srgb, var(--ink) 75%, var(--paper))",
        "rule": "color-mix(in srgb, var(--ink) 18%, var(--paper))",
        "rule-strong": "color-mix(in srgb, var(--ink) 60%, var(--paper))",
        "raised": "color-mix(in srgb, var(--ink) 4%, var(--paper))",
    }
    lines = "".join(f"  --{name}: {value};\n" for name, value in values.items())
    return f":root {{\n  color-scheme: {'dark' if is_dark else 'light'};\n{lines}}}\n"
