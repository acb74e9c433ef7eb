"""Whether two articles from different sources tell the same story: near-duplicates in title and lead, and no less.

A copy differs from the first in a headline, a dateline, an added or missing end. A follow-up, a recap or the same
sentence about another company differs in what it says: in a number, a name, a word of the title. Doubt is resolved
towards "different": a mail too many is a smaller harm than none.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.core.model import Item

MARKS = 8  # shingles of an article by which its copies are found

_LEAD = 1_200  # characters after the title that are compared
_MARKED_WORDS = 40  # of title and lead that give marks, so that a lead cut short has the same ones
_SHINGLE = 3  # words
_FEW_WORDS = 8  # below, a lead says nothing, and the titles decide
_LONG_TITLE = 6  # words from which equal titles are no accident
_COPIED = 0.7  # share of the shorter lead's shingles that stand in the longer text
_SUBSTITUTED = 0.15  # share of the shorter's words that an editor may have put in place of others

_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_TOKEN = re.compile(rf"[{_HAN}]+|\d+(?:[.,:]\d+)*|[^\W\d_{_HAN}]+(?:'[^\W\d_]+)?")
_HAN_RUN = re.compile(rf"[{_HAN}]")
_HAN_NUMBER = re.compile("[〇零一二两三四五六七八九十百千万亿首]")
_DATELINE = re.compile(
    r"\A\s*(?:[^\n().。]{0,60}\([^()\n]{2,30}\)\s*[-\u2013\u2014:]+|【[^】\n]{0,30}】|[（(][^）)\n]{2,30}[）)]"
    r"|[^\n。]{0,12}社.{0,20}?电[，,:： ]|[^\n。，,]{2,24}消息[，,:：])\s*"
)
# fmt: off
_RETOLD = frozenset((  # a title that alone has one of these tells of a story that was told before
    "recap", "roundup", "explainer", "analysis", "opinion", "review", "update", "updated", "updates", "correction",
    "corrected", "timeline", "live", "again", "more", "another", "further",
    "回顾", "盘点", "综述", "更新", "更正", "解读", "评论", "又有", "再次", "追加",
))
_NUMBER_WORDS = frozenset((
    "first", "second", "third", "fourth", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "dozen", "hundred", "thousand", "million", "billion", "january", "february", "march", "april", "may",
    "june", "july", "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday",
    "thursday", "friday", "saturday", "sunday", "no", "not", "never",
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
    names: frozenset[str]  # words of the lead that are written with a capital inside a sentence


def telling_of(item: Item) -> Telling:
    """Take from an article what its copies would share."""
    lead = _DATELINE.sub("", "\n".join(_paragraphs(item)), count=1)[:_LEAD]
    return Telling(title=_words(item.title), lead=_words(lead), names=_names(lead))


def marks_of(telling: Telling) -> tuple[int, ...]:
    """Return what an index finds copies by: the smallest hashes (of 63 bits) among the shingles of the beginning."""
    text = (*telling.title, *telling.lead)[:_MARKED_WORDS]
    hashes = {_hash(shingle) for shingle in _shingles(text) | _shingles(telling.lead[:_MARKED_WORDS])}
    return tuple(sorted(hashes)[:MARKS])


def judge(one: Telling, other: Telling) -> Verdict:
    """Decide whether two articles tell the same story; the order of the two makes no difference."""
    shorter, longer = sorted((one, other), key=lambda it: (len(it.lead), it.title, it.lead))
    for this, that in ((shorter, longer), (longer, shorter)):
        obstacle = _of_the_title(this, that)
        if obstacle:
            return Verdict(same=False, why=obstacle)
    if len(shorter.lead) < _FEW_WORDS:
        return _by_titles(shorter, longer)
    mine = _shingles(shorter.lead)
    share = len(mine & _shingles(longer.lead)) / len(mine)
    if share < _COPIED:
        return Verdict(same=False, why=f"the leads share {share:.0%} of their wording")
    changed = set(shorter.lead) - {*longer.lead, *longer.title}
    told = sorted(changed & _what_tells(shorter, longer)) or sorted(word for word in changed if _is_number(word))
    if told:
        return Verdict(same=False, why=f'only one of the leads says "{told[0]}"')
    if len(changed) > _SUBSTITUTED * len(set(shorter.lead)):
        return Verdict(same=False, why=f"{len(changed)} words of the lead are other ones")
    return Verdict(same=True, why=f"the leads share {share:.0%} of their wording")


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
        if word not in text and _is_number(word):
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


def _what_tells(one: Telling, other: Telling) -> set[str]:
    """Return the words that make the story what it is: names, and those of the titles."""
    return {*one.title, *other.title, *one.names, *other.names}


def _is_number(word: str) -> bool:
    """Whether a word counts, dates or denies: what changes from one report to the next."""
    return word[0].isdigit() or word in _NUMBER_WORDS or _HAN_NUMBER.search(word) is not None


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for token in _TOKEN.findall(_plain(text).casefold()) for word in _pieces(token))


def _pieces(token: str) -> Iterable[str]:
    """Cut what is written without spaces into pairs of characters."""
    if not _HAN_RUN.match(token) or len(token) == 1:
        return (token,)
    return (token[start : start + 2] for start in range(len(token) - 1))


def _names(text: str) -> frozenset[str]:
    """Return the words with a capital that does not come from beginning a sentence."""
    found = re.findall(r"(?<=[^\s.!?。\"“”:•] )([A-Z][\w']*)", _plain(text))
    return frozenset(word for name in found for word in _words(name))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")


def _shingles(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + _SHINGLE]) for start in range(max(1, len(words) - _SHINGLE + 1))}


def _hash(shingle: tuple[str, ...]) -> int:
    digest = hashlib.blake2b(" ".join(shingle).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1
