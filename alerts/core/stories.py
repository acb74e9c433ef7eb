"""Whether two articles from different sources tell the same story: near-duplicates in title and lead, and no less.

A copy differs from the first in a headline, a dateline, an added or missing end. A follow-up, a recap or the same
sentence about another company differs in what it says: in a number, a name, a word of the title. The next issue of a
column differs in nothing that its teaser says. Doubt is resolved towards "different": a mail too many is a smaller
harm than none.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.core.model import Item
from alerts.core.story_edits import ALIGNED, edits, is_number, tells_something, what_tells

MARKS = 8  # shingles of an article by which its copies are found

_LEAD = 1_200  # characters after the title that are compared
_MARKED_WORDS = 40  # of title and lead that give marks, so that a lead cut short has the same ones
_SHINGLE = 3  # words
_FEW_WORDS = 8  # below, a lead says nothing, and the titles decide
_LONG_TITLE = 6  # words from which equal titles are no accident
_COPIED = 0.7  # share of the shorter lead's shingles that stand in the longer text
_TIED = 2  # words of a headline that its lead must have, or the lead is no lead but a note of the publisher's
_OF_ONE_PATTERN = 0.5  # share of the shorter title's words that another title has which names something else

_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_HAN}]+|\d+(?:[.,:]\d+)*|[^\W\d_{_HAN}]+(?:'[^\W\d_]+)?")
_HAN_RUN = re.compile(rf"[{_HAN}]")
_DATELINE = re.compile(
    r"\A\s*(?:[^\n().。]{0,60}\([^()\n]{2,30}\)\s*[-\u2013\u2014:]+|【[^】\n]{0,30}】|[（(][^）)\n]{2,30}[）)]"
    r"|[^\n。]{0,12}社.{0,20}?电[，,:： ]|[^\n。，,]{2,24}消息[，,:：])\s*"
)
_MORE = re.compile(
    r"\s*[\[(]?(?:read (?:more|on|the full (?:story|article))|continue reading|weiterlesen|lire la suite|leer más"
    r"|阅读(?:全文|原文|更多)|查看(?:全文|更多)|展开全文)\W*\Z",
    re.IGNORECASE,
)
_BREAKS_OFF = re.compile(r"(?:…|\.\.\.|⋯)\W*\Z")
# fmt: off
_RETOLD = frozenset((  # a title that alone has one of these tells of a story that was told before
    "recap", "roundup", "explainer", "analysis", "opinion", "review", "update", "updated", "updates", "correction",
    "corrected", "timeline", "live", "again", "more", "another", "further",
    "回顾", "盘点", "综述", "更新", "更正", "解读", "评论", "又有", "再次", "追加",
))
_COLUMNS = frozenset((  # a title with one of these is that of a column: the next issue has the same one
    "live", "liveblog", "liveticker", "ticker", "briefing", "newsletter", "roundup", "digest", "podcast", "daily",
    "weekly", "today", "tonight", "überblick", "newsblog", "direct",
    "早报", "晚报", "早餐", "日报", "周报", "直播", "快报", "速览", "今日", "要闻",
))
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether it is the same story, and why, in a sentence for an operator."""

    same: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is compared of an article."""

    title: tuple[str, ...]  # words; of Chinese and Japanese, pairs of characters
    lead: tuple[str, ...]
    names: frozenset[str]  # words of either that are written with a capital
    is_cut: bool  # the lead breaks off


def telling_of(item: Item) -> Telling:
    """Take from an article what its copies would share."""
    whole = _DATELINE.sub("", "\n".join(_paragraphs(item)), count=1)
    lead = _MORE.sub("", whole[:_LEAD])
    is_cut = len(whole) > _LEAD or _BREAKS_OFF.search(lead) is not None
    words = _words(lead)
    return Telling(
        title=_words(item.title),
        lead=words[:-1] if is_cut and len(words) > 1 else words,  # its last word may be half of one
        names=_names(item.title) | _names(lead),
        is_cut=is_cut,
    )


def marks_of(telling: Telling) -> tuple[int, ...]:
    """Return what an index finds copies by: the smallest hashes (of 63 bits) among the shingles of the beginning."""
    text = (*telling.title, *telling.lead)[:_MARKED_WORDS]
    hashes = {_hash(shingle) for shingle in _shingles(text) | _shingles(telling.lead[:_MARKED_WORDS])}
    return tuple(sorted(hashes)[:MARKS])


def judge(one: Telling, other: Telling) -> Verdict:
    """Decide whether two articles tell the same story; the order of the two makes no difference."""
    shorter, longer = sorted(
        (one, other), key=lambda it: (len(it.lead), it.title, it.lead, sorted(it.names), it.is_cut)
    )
    # 1. Headlines.
    obstacle = _of_a_column(shorter, longer) or _of_the_title(shorter, longer) or _of_the_title(longer, shorter)
    if obstacle:
        return Verdict(same=False, why=obstacle)
    if len(shorter.lead) < _FEW_WORDS:
        return _by_titles(shorter, longer)
    # 2. Leads.
    mine = _shingles(shorter.lead)
    share = len(mine & _shingles(longer.lead)) / len(mine)
    if share < _COPIED:
        return Verdict(same=False, why=f"the leads share {share:.0%} of their wording")
    differing, further = edits(shorter.lead, longer.lead)
    names = {*shorter.title, *longer.title, *shorter.names, *longer.names}
    told = what_tells(differing, names=names, length=min(len(shorter.lead), ALIGNED))
    if told:
        return Verdict(same=False, why=f'the leads differ in "{told}"')
    # 3. Headlines beside the leads.
    obstacle = _of_what_follows(shorter, longer, further) or _of_two_titles(shorter, longer)
    return Verdict(same=not obstacle, why=obstacle or f"the leads share {share:.0%} of their wording")


def _paragraphs(item: Item) -> list[str]:
    """Return the summary and the beginning of the body; a summary that the body begins with stands there once."""
    summary = "\n".join(item.summary).strip()
    body = item.body[: 2 * _LEAD].strip()
    if not summary or body.startswith(summary.rstrip("…")):
        return [body or summary]
    return [summary, body]


def _of_the_title(mine: Telling, theirs: Telling) -> str | None:
    """Say which word of a title makes it another story, if one does."""
    text = {*theirs.title, *theirs.lead}
    for word in mine.title:
        if word not in text and is_number(word):
            return f'only one of the titles says "{word}"'
        if word in _RETOLD and word not in text:
            return f'"{word}" in one title: it tells of what was told before'
    return None


def _by_titles(shorter: Telling, longer: Telling) -> Verdict:
    """Decide by the titles alone, where one has hardly any lead: equal, and long enough to be no accident."""
    same = shorter.title == longer.title and len(shorter.title) >= _LONG_TITLE
    return Verdict(
        same=same, why="the titles are the same" if same else "no leads to compare, and no long equal titles"
    )


def _of_a_column(one: Telling, other: Telling) -> str | None:
    """Say which word makes a title that of a column, whose issues have the same title and often the same teaser."""
    word = min(_COLUMNS & {*one.title, *other.title}, default=None)
    return f'"{word}" in a title: each issue of a column is a story of its own' if word else None


def _of_what_follows(shorter: Telling, longer: Telling, further: Sequence[str]) -> str | None:
    """Say which word of a title is news that only the longer text goes on to tell."""
    if shorter.is_cut:
        return None
    known = {*shorter.title, *shorter.lead}
    news = [word for word in longer.title if word in further and word not in known and tells_something(word)]
    return f'only one of the texts tells of "{news[0]}", as its title says' if news else None


def _of_two_titles(one: Telling, other: Telling) -> str | None:
    """Say why two different titles cannot stand over one lead, if they cannot."""
    if one.title == other.title:
        return None
    lead = {*one.lead, *other.lead}
    for it in (one, other):
        words = {word for word in it.title if tells_something(word)}
        if len(words & lead) < min(_TIED, len(words)):
            return "the lead does not speak of what a title says"
    alone = [
        [word for word in this.title if tells_something(word) and word not in {*lead, *that.title}]
        for this, that in ((one, other), (other, one))
    ]
    if not all(alone):
        return None
    named = all(it.names.intersection(words) for it, words in zip((one, other), alone, strict=True))
    alike = len({*one.title} & {*other.title}) >= _OF_ONE_PATTERN * min(len({*one.title}), len({*other.title}))
    if named or alike:
        return f'one title is of "{alone[0][0]}", the other of "{alone[1][0]}", and the lead of neither'
    return None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for token in _TOKEN.findall(_plain(text).casefold()) for word in _pieces(token))


def _pieces(token: str) -> Iterable[str]:
    """Cut what is written without spaces into pairs of characters."""
    if not _HAN_RUN.match(token) or len(token) == 1:
        return (token,)
    return (token[start : start + 2] for start in range(len(token) - 1))


def _names(text: str) -> frozenset[str]:
    """Return the words with a capital; that of a sentence's first word may be a name's as well."""
    return frozenset(word for name in re.findall(r"\b[A-Z]\w*(?:'\w+)?", _plain(text)) for word in _words(name))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")


def _shingles(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + _SHINGLE]) for start in range(max(1, len(words) - _SHINGLE + 1))}


def _hash(shingle: tuple[str, ...]) -> int:
    digest = hashlib.blake2b(" ".join(shingle).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
