"""Make any text safe to keep, to show and to compare; it knows no HTML (``html_text``) and no queries.

``clean_*`` is for what people read, ``fold`` for what the matcher compares. Every function takes any string,
lone surrogates included, and takes time in proportion to its length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

LONGEST_MARK_RUN = 16  # combining marks on one letter; Vietnamese needs 2, "zalgo" uses hundreds

_NOT_TEXT = re.compile(
    "["
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls; the line ends among them were taken out before
    "\u00ad"  # soft hyphen: a hint to a renderer, in the middle of a word
    "\u061c\u202a-\u202e\u2066-\u2069"  # bidi embeddings, overrides and isolates: they make text lie
    "\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible operators, byte order marks, annotations
    "\ufdd0-\ufdef\ufffe\uffff"  # noncharacters: no XML takes them
    "\ud800-\udfff"  # lone surrogates: no encoder takes them
    "]"
)
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028]")
_SPACES = re.compile(r"\s+")
_SPACES_IN_LINE = re.compile(r"[^\S\n]+")
_AROUND_LINE_END = re.compile(r" ?\n ?")
_PARAGRAPH_END = re.compile(r"\n{2,}")
_INVISIBLE_ENDS = "\u200b\u200c\u200d\u200e\u200f"
_UNCUTTABLE = re.compile("[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")  # they belong to the character before
_IGNORED = re.compile(  # invisible, so it must not part "Xiao" and "mi"
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e01ef]"
)
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u02b9\u2032\u00b4\u055a\ua78c", "'"))
# "e-tron" and "Li-Auto" are what "e tron" and "Li Auto" are, and a dash parts words as a space does.
_DASHES = str.maketrans(dict.fromkeys("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u02d7\ufe58", " "))
_FOLDED_SIGNS = _QUOTES | _DASHES


def clean_line(text: str) -> str:
    """Return ``text`` as one tidy line: NFC, without control, bidi-override and surrogate characters."""
    return _trim(_SPACES.sub(" ", _without_noise(text)))


def clean_text(text: str) -> str:
    """Return ``text`` tidy, with its line ends kept and its paragraphs parted by one blank line."""
    tidy = _SPACES_IN_LINE.sub(" ", _without_noise(text))
    return _trim(_PARAGRAPH_END.sub("\n\n", _AROUND_LINE_END.sub("\n", tidy)))


def excerpt(text: str, limit: int) -> str:
    """Return the beginning of ``text`` as one line of at most ``limit`` characters, cut between words, with "…"."""
    line = clean_line(text)
    if len(line) <= limit:
        return line
    if limit < 1:
        return ""
    end = limit - 1
    while end > 0 and _belongs_to_the_left(line, end):
        end -= 1
    space = line.rfind(" ", 0, end + 1)
    if space > end // 2:  # else one endless word, or a script without spaces
        end = space
    return line[:end].rstrip(" ,;:.…-–—") + "…"


def fold(text: str) -> str:
    """Return ``text`` as the matcher compares it: no case, no width, no hyphens, no typographic variants.

    >>> fold("Ｘiaomi’s  ﬁrst e-tron — 电动车")
    "xiaomi's first e tron 电动车"
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().replace("-", " ").split())
    visible = _without_noise(text)
    # Casefold can undo a normal form ("ΐ"), and NFKC can bring back capitals ("ℌ"): so both, twice.
    folded = unicodedata.normalize("NFKC", _IGNORED.sub("", visible).casefold()).casefold()
    folded = _IGNORED.sub("", unicodedata.normalize("NFKC", folded))
    return " ".join(folded.translate(_FOLDED_SIGNS).split())


def fold_but_case(text: str) -> str:
    """Return ``text`` folded, with its capitals kept.

    >>> fold_but_case("Ｘiaomi’s e-tron")
    "Xiaomi's e tron"
    """
    visible = _without_noise(text)
    if visible.isascii():
        return _SPACES.sub(" ", visible.replace("-", " ")).strip()
    kept = _IGNORED.sub("", unicodedata.normalize("NFKC", _IGNORED.sub("", visible)))
    return _SPACES.sub(" ", kept.translate(_FOLDED_SIGNS)).strip()


def _without_noise(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_END.sub("\n", text).replace("\u2029", "\n\n")
    text = _NOT_TEXT.sub("", text)
    return unicodedata.normalize("NFC", _long_mark_runs().sub(r"\1", text))


@cache
def _long_mark_runs() -> re.Pattern[str]:
    """Find marks piled up without end: ordering them costs the square of their number (UAX 15, stream-safe text)."""
    marks = "".join(chr(point) for point in range(0x300, 0x20000) if unicodedata.combining(chr(point)))
    return re.compile(f"([{marks}]{{{LONGEST_MARK_RUN}}})[{marks}]+")


def _trim(text: str) -> str:
    """Strip spaces, and invisible characters where they join nothing."""
    return text.strip().strip(_INVISIBLE_ENDS + " \n")


def _belongs_to_the_left(text: str, index: int) -> bool:
    """Say whether cutting before ``text[index]`` would cut a character as readers see it."""
    character = text[index]
    joined = text[index - 1] == "\u200d" or _UNCUTTABLE.match(character) is not None
    return joined or unicodedata.category(character).startswith("M")
