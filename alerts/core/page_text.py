"""Read a page's text as a browser copies it: title, bullets, body, date, and the noise around them left out.

The shape is a news page's, not one site's: a line is noise only when all of it is (a caption in brackets, "Join us
on Telegram", the title once more, a date, the page's own subscription box). A sentence is never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from alerts.core.dates import read_day
from alerts.core.errors import ArticleError
from alerts.core.text import clean_text, fold

LONGEST_TEXT = 1_000_000  # characters; a novel has fewer
LONGEST_TITLE_LINE = 300  # a longer first line is a paragraph
LONGEST_CAPTION = 400
LONGEST_CALL = 200
LONGEST_NAME = 80
LONGEST_BOX = 40  # lines

_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f "  # a line of nothing else is an empty one

_BULLET = re.compile(r"(?:[•‣·●▪◦∙]\s*|[*\-–]\s+)(?=\S)")
_BOX_START = re.compile(r"(?P<name>\S.*?)\s+News\s+Alerts?", re.IGNORECASE)
_BOX_END = re.compile(r"View\s+more\s+channels\W*", re.IGNORECASE)
_BOX_SENTENCE = re.compile(r"Subscribe\s+to\s+(?:receive|get)\b.*", re.IGNORECASE)

_PICTURE = (
    r"(?:images?|photos?|photographs?|pictures?|pics?|screenshots?|screengrabs?|graphics?|renderings?|videos?|图片|图)"
)
_IN_BRACKETS = re.compile(r"[((\[【].*[))\]】][.。]?")
_CREDIT = re.compile(
    rf"(?<!\w){_PICTURE}\s*(?:credits?|courtesy|sources?|来源|源)?\s*[::/]"
    rf"|(?<!\w){_PICTURE}\s+(?:from|by|via|credits?|courtesy|provided|taken|supplied|released|shared|posted)\b"
    r"|\b(?:credits?|source)\s*[::]|图(?:片)?(?:源|来源)|供图|摄影",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    rf"(?:{_PICTURE}(?:\s+(?:credits?|source|courtesy|by))?|credits?|caption|图源|图片来源)\s*[::].*", re.IGNORECASE
)

_PLACE = (
    r"(?:telegram|google\s+news|apple\s+news|twitter|x|facebook|linkedin|weibo|wechat|youtube|instagram|threads|bluesky"
    r"|mastodon|whatsapp|discord|reddit|rss|flipboard|tiktok|pinterest|e-?mail"
    r"|our\s+(?:\w+\s+)?(?:channel|group|page|newsletter|account)s?)"
)
_PLACES = rf"(?:\W*(?:{_PLACE}|or|and|via|on|@\w+)(?!\w))*\W*"
_CALL = re.compile(
    rf"(?:please\s+)?(?:join|follow|find|like|connect\s+with)\s+(?:us|@\w+)(?:\s+(?:on|at|via)\b)?{_PLACES}"
    rf"|(?:join|follow|find)\s+us\s+on\s+{_PLACE}(?!\w).*"
    rf"|share\b\s*(?:this|the)?\s*(?:article|story|post|page|news)?\s*(?:on|via|with|to)?{_PLACES}"
    r"|(?:read\s+more|read\s+also|also\s+read|see\s+also|related(?:\s+(?:articles?|stories|news|reading))?)\s*[::].*"
    r"|(?:read|learn|see|show|load)\s+more\W*"
    r"|(?:click|tap)\s+here\s+(?:to|for)\b.*"
    r"|(?:sign\s+up|subscribe)\s+(?:for|to)\s+(?:our|the)\s+(?:[\w-]+\s+){0,3}(?:newsletters?|channel|alerts)\b.*"
    r"|(?:advertisement|sponsored(?:\s+content)?|copy\s+link|print\s+this\s+(?:page|article))\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageText:
    """What a page's text says."""

    title: str
    summary: tuple[str, ...] = ()
    body: str = ""
    tags: tuple[str, ...] = ()
    published_on: date | None = None


def read_page_text(text: str) -> PageText:
    """Return the article in a page's text; raise ArticleError when there is no text at all.

    The title is the first line that is no noise; the bullets right below it are the summary.
    """
    # 1. Tidy lines, without the page's own subscription box.
    tidy = clean_text(text[:LONGEST_TEXT]).split("\n")
    lines, tags = _without_boxes([line.strip(_INVISIBLE) for line in tidy])
    # 2. The first line that says something ("Photos: …" may well be a title).
    first = next((line for line in lines if line and not _asks_or_dates(line)), "") or next(filter(None, lines), "")
    if not first:
        raise ArticleError("holds no text")
    title = _without_bullet(first)
    # 3. The rest without the noise, each title and date told once.
    published_on = next(filter(None, map(read_day, lines)), None)
    kept = [line for line in _without_title(lines, title) if not _is_noise(line)]
    # 4. Bullets on top, paragraphs below.
    summary, body = _split_bullets(kept)
    return PageText(
        title=title, summary=summary, body=clean_text("\n".join(body)), tags=tags, published_on=published_on
    )


def _without_boxes(lines: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Take out every ``NAME News Alert`` … ``View more channels`` and return the NAMEs."""
    kept: list[str] = []
    names: list[str] = []
    position = 0
    while position < len(lines):
        end = _end_of_box(lines, position)
        if end is None:
            kept.append(lines[position])
            position += 1
            continue
        names += _box_names(lines[position:end])
        position = end
    return kept, tuple(dict.fromkeys(names))


def _end_of_box(lines: list[str], start: int) -> int | None:
    """Return where the box that starts at ``start`` is over, or None when none starts there."""
    names = _box_names(lines[start : start + 1])
    if not names:
        return None
    for position in range(start + 1, min(start + LONGEST_BOX, len(lines))):
        if _BOX_END.fullmatch(lines[position]):
            return position + 1
    return _end_of_cut_box(lines, start, names[0])


def _end_of_cut_box(lines: list[str], start: int, name: str) -> int | None:
    """Find the end of a box whose last line was not copied: its sentence, and its name once more."""
    position = start + 1
    while position < len(lines) and not lines[position]:
        position += 1
    if position == len(lines) or not _BOX_SENTENCE.fullmatch(lines[position]):
        return None
    position += 1
    while position < len(lines) and lines[position] in {"", name}:
        position += 1
    return position


def _box_names(lines: Iterable[str]) -> list[str]:
    """Return NAME of each line that is ``NAME News Alert``."""
    short = (line for line in lines if len(line) <= LONGEST_NAME)
    return [found["name"] for found in map(_BOX_START.fullmatch, short) if found]


def _is_noise(line: str) -> bool:
    """Say whether all of ``line`` is a caption, a call to action or a date."""
    return _asks_or_dates(line) or is_caption(line)


def _asks_or_dates(line: str) -> bool:
    """Say whether all of ``line`` asks the reader to go somewhere else, or is a date."""
    return len(line) <= LONGEST_CALL and (_CALL.fullmatch(line) is not None or read_day(line) is not None)


def is_caption(line: str) -> bool:
    """Say whether all of ``line`` tells where a picture comes from."""
    if len(line) > LONGEST_CAPTION:
        return False
    in_brackets = _IN_BRACKETS.fullmatch(line) is not None and _CREDIT.search(line) is not None
    return in_brackets or _LABELLED.fullmatch(line) is not None


def _without_title(lines: list[str], title: str) -> Iterator[str]:
    """Drop every line that is the title: the first, and those that a page prints in place of its pictures."""
    if len(title) > LONGEST_TITLE_LINE:
        return iter(lines)
    folded = fold(title)
    return (line for line in lines if fold(_without_bullet(line)) != folded)


def _without_bullet(line: str) -> str:
    return _BULLET.sub("", line, count=1) if _BULLET.match(line) else line


def _split_bullets(lines: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Part the bullets at the top from everything after them."""
    bullets: list[str] = []
    for position, line in enumerate(lines):
        found = _BULLET.match(line)
        if line and not found:  # the first paragraph
            return tuple(bullets), lines[position:]
        if found:
            bullets.append(line[found.end() :])
    return tuple(bullets), []
