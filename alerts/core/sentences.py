"""Sentences in somebody's language: which one to speak, and how a sentence's places are filled. Reads no file.

A sentence is its own key: ``_("{count} is left", count=3)``. A catalogue that lacks it says it in English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from gettext import NullTranslations

from markupsafe import Markup, escape

from alerts.core.language import declared_language

ENGLISH = "en"  # what the sentences in the templates and modules are written in

_SIGN = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"  # Han, kana, wide punctuation
_UNSPACED = re.compile(_SIGN)
#: A place, with the space that parts it from a sign of a script that writes without spaces (Chinese, Japanese).
_PLACE = re.compile(rf"(?P<before>(?<={_SIGN}) )?\{{(?P<name>\w+)\}}(?P<after> (?={_SIGN}))?")
_TAG = re.compile(r"<[^>]*>")
_QUALITY = re.compile(r"\s*q\s*=\s*(?P<value>[01](?:\.[0-9]{0,3})?)\s*\Z", re.ASCII | re.IGNORECASE)
_MOST_WISHES = 20


def N_(sentence: str) -> str:  # noqa: N802 - gettext's own name, by which the sentences are collected
    """Mark a sentence that is translated later, where it is shown."""
    return sentence


def spoken(wishes: Iterable[str | None], known: Collection[str]) -> str | None:
    """Return the first wish that is among the known languages: ``zh-Hant-TW``, else ``zh-Hant``, else ``zh``.

    >>> spoken(["de", "zh-CN"], {"en", "zh"})
    'zh'
    """
    for wish in wishes:
        tag = declared_language(wish) or ""
        while tag and tag not in known:
            tag = tag.rpartition("-")[0]
        if tag:
            return tag
    return None


def wishes_of(accept_language: str) -> list[str]:
    """Read an Accept-Language header (RFC 9110, 12.5.4): the languages, the dearest first; total, as it is hostile.

    >>> wishes_of("de;q=0.5, zh-TW, *;q=0.1, en;q=0")
    ['zh-TW', 'de']
    """
    weighed = []
    for place, part in enumerate(accept_language.split(",")[:_MOST_WISHES]):
        tag, _, quality = part.partition(";")
        found = _QUALITY.match(quality)
        weight = float(found["value"]) if found else 1.0
        if weight > 0 and declared_language(tag.strip()):
            weighed.append((-weight, place, tag.strip()))
    return [tag for _, _, tag in sorted(weighed)]


def translator(catalogue: NullTranslations, *, html: bool) -> Callable[..., str]:
    """Make ``_``: the sentence in the language, its ``{places}`` filled; for HTML escaped, and as Markup."""

    def translate(sentence: str, /, **values: object) -> str:
        return _filled(catalogue.gettext(sentence), values, html=html)

    return translate


def counter(catalogue: NullTranslations, *, html: bool) -> Callable[..., str]:
    """Make ``ngettext``: the sentence in the form that a number asks for in the language."""

    def count(one: str, many: str, n: int, /, **values: object) -> str:
        return _filled(catalogue.ngettext(one, many, n), {"n": n, **values}, html=html)

    return count


def _filled(sentence: str, values: dict[str, object], *, html: bool) -> str:
    if not html:
        return _PLACE.sub(lambda place: _fitted(place, str(values[place["name"]])), sentence)
    filled = _PLACE.sub(lambda place: _fitted(place, str(escape(values[place["name"]]))), str(escape(sentence)))
    return Markup(filled)  # noqa: S704 - all escaped


def _fitted(place: re.Match[str], value: str) -> str:
    """Put a value into its place: 订阅 Tesla, but 订阅小米, as a foreign word stands apart among Chinese signs."""
    seen = _TAG.sub("", value)
    before = "" if _UNSPACED.match(seen[:1]) else place["before"] or ""
    after = "" if _UNSPACED.match(seen[-1:]) else place["after"] or ""
    return before + value + after
