"""What may stand in a post of articles: items of a JSON Feed (https://www.jsonfeed.org/version/1.1/), strictly.

A feed is read with patience, as nobody listens to our complaints. Whoever posts reads the answer, so here a mistake is
told: where it is, what is wrong, and what to write instead. The table is also what the API's description is made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.core.items import LONGEST_AUTHOR, LONGEST_ID, LONGEST_TAG, LONGEST_TITLE, LONGEST_URL, MOST_TAGS, web_url
from alerts.core.people import did_you_mean
from alerts.core.text import clean_line, excerpt

MOST_ITEMS = 100  # in one post
MOST_PROBLEMS = 50  # that one answer names
LONGEST_TEXT = 500_000  # characters
LONGEST_SUMMARY = 10_000
MOST_AUTHORS = 20
AHEAD = timedelta(minutes=5)  # a clock that is a little fast is no future date
WITH_TEXT = ("title", "content_text", "content_html", "summary")  # an item has one of them
UNUSED = ("external_url", "image", "banner_image", "date_modified", "attachments")  # JSON Feed's, which we do not use

_MOMENT = re.compile(r"(\d{4})-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_AUTHOR_MEMBERS = {"name", "url", "avatar"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a post."""

    pointer: str  # a JSON Pointer (RFC 6901) as a URI fragment, such as #/0/title
    detail: str  # what is wrong, and what to write


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post that is as it should be."""

    items: tuple[Mapping[str, object], ...]
    is_list: bool


def check_post(document: object, *, now: datetime) -> Post | list[Problem]:
    """Return the items of a post, an item or a list of them, or what is wrong with it, mistake by mistake."""
    is_list = isinstance(document, list)
    items: list[object] = document if isinstance(document, list) else [document]
    if not 0 < len(items) <= MOST_ITEMS:
        return [Problem(pointer="#", detail=f"holds {len(items)} items; post 1 to {MOST_ITEMS} at a time")]
    problems: list[Problem] = []
    good: list[Mapping[str, object]] = []
    for number, item in enumerate(items):
        where = f"#/{number}" if is_list else "#"
        if not isinstance(item, Mapping):
            problems.append(Problem(pointer=where, detail="is no object; write an item of a JSON Feed: {…}"))
            continue
        problems += _problems_of(item, where, now)
        good.append(item)
    problems += _repeated(good, is_list=is_list)
    return problems[:MOST_PROBLEMS] or Post(items=tuple(good), is_list=is_list)


def _problems_of(item: Mapping[str, object], where: str, now: datetime) -> Iterator[Problem]:
    if "id" not in item:
        yield Problem(pointer=f"{where}/id", detail="is missing; write what your system knows the article by, for ever")
    if not any(_has_text(item.get(name)) for name in WITH_TEXT):
        yield Problem(pointer=where, detail=f"holds no text; write at least one of {', '.join(WITH_TEXT)}")
    for name, value in item.items():
        wrong = _wrong(name, value, now)
        if wrong is not None:
            yield Problem(pointer=f"{where}/{_pointed(name)}", detail=wrong)


def _wrong(name: str, value: object, now: datetime) -> str | None:
    """Say what is wrong with a member; None for one that is right, or JSON Feed's and none of our business."""
    if name in MEMBERS:
        return MEMBERS[name].check(value, now)
    if name.startswith("_") or name in UNUSED:
        return None
    return f"is no member of an item{did_you_mean(name, list(MEMBERS))} Leave it out, or begin its name with _"


def _repeated(items: list[Mapping[str, object]], *, is_list: bool) -> Iterator[Problem]:
    """Name the ids that stand twice in a post: which of the two would count is anybody's guess."""
    seen: set[str] = set()
    for number, item in enumerate(items):
        item_id = item.get("id")
        if isinstance(item_id, str) and item_id in seen and is_list:
            yield Problem(pointer=f"#/{number}/id", detail="stands twice in this post; send each article once")
        if isinstance(item_id, str):
            seen.add(item_id)


def _pointed(name: str) -> str:
    """Escape a member's name for a JSON Pointer, short enough to be read."""
    return excerpt(name, 60).replace("~", "~0").replace("/", "~1")


def _has_text(value: object) -> bool:
    return isinstance(value, str) and bool(clean_line(value[:LONGEST_TEXT]))


def _text(most: int) -> Callable[[object, datetime], str | None]:
    def check(value: object, _now: datetime) -> str | None:
        if not isinstance(value, str):
            return "must be a string"
        return f"has {len(value)} characters; at most {most} are taken" if len(value) > most else None

    return check


def _id(value: object, now: datetime) -> str | None:
    wrong = _text(LONGEST_ID)(value, now)
    if wrong is None and (not value or clean_line(str(value)) != value):
        return "must be one line of text, without control characters or spaces around it"
    return wrong


def _url(value: object, _now: datetime) -> str | None:
    if isinstance(value, str) and web_url(value) == value:
        return None
    return f"must be an absolute http:// or https:// address of at most {LONGEST_URL} characters"


def _language(value: object, _now: datetime) -> str | None:
    return (
        None if isinstance(value, str) and _LANGUAGE.fullmatch(value) else "must be a language tag such as en or zh-CN"
    )


def _tags(value: object, now: datetime) -> str | None:
    if not isinstance(value, list):
        return "must be a list of strings"
    if len(value) > MOST_TAGS:
        return f"holds {len(value)} tags; at most {MOST_TAGS} are taken"
    return next((f"entry {number} {wrong}" for number, tag in enumerate(value) if (wrong := _tag(tag, now))), None)


def _tag(value: object, now: datetime) -> str | None:
    return _text(LONGEST_TAG)(value, now) or (None if _has_text(value) else "is empty; leave it out")


def _author(value: object, now: datetime) -> str | None:
    if not isinstance(value, Mapping) or not _has_text(value.get("name")) or not value.keys() <= _AUTHOR_MEMBERS:
        return 'must be an object such as {"name": "Mia Chen"}, with url and avatar at most besides'
    return _text(LONGEST_AUTHOR)(value["name"], now)


def _authors(value: object, now: datetime) -> str | None:
    if not isinstance(value, list) or len(value) > MOST_AUTHORS:
        return f'must be a list of at most {MOST_AUTHORS} objects such as {{"name": "Mia Chen"}}'
    return next((f"entry {number} {wrong}" for number, one in enumerate(value) if (wrong := _author(one, now))), None)


def _moment(value: object, now: datetime) -> str | None:
    moment = _read(value) if isinstance(value, str) else None
    if moment is None:
        return "must be a date and time with its zone, such as 2026-01-31T09:30:00+01:00 (RFC 3339)"
    if moment > now + AHEAD:
        return f"lies ahead of {now:%Y-%m-%dT%H:%M:%SZ}; nothing is held here: post the article when it is to be seen"
    return None


def _read(written: str) -> datetime | None:
    found = _MOMENT.fullmatch(written)
    if found is None or not 1 < int(found[1]) < 9999:  # noqa: PLR2004 - the first and last year cannot change zones
        return None
    try:
        return datetime.fromisoformat(written.upper())
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of an item: what it is for, how JSON Schema says what may stand there, and what we say of the rest."""

    about: str
    schema: Mapping[str, object]
    check: Callable[[object, datetime], str | None]


def _member(about: str, check: Callable[[object, datetime], str | None], **schema: object) -> Member:
    return Member(about=about, schema=schema, check=check)


def _string(about: str, most: int) -> Member:
    return _member(about, _text(most), type="string", maxLength=most)


_AUTHOR_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": LONGEST_AUTHOR},
        "url": {},
        "avatar": {},
    },
    "additionalProperties": False,
}

MEMBERS: Mapping[str, Member] = {
    "id": _member(
        "What your system knows the article by. Posting the same id again changes the article and mails nobody.",
        _id,
        type="string",
        minLength=1,
        maxLength=LONGEST_ID,
    ),
    "url": _member("Where the article can be read.", _url, type="string", format="uri", maxLength=LONGEST_URL),
    "title": _string("Its title; without one, the beginning of its text.", LONGEST_TITLE),
    "summary": _string("What a mail shows; without one, the beginning of the text.", LONGEST_SUMMARY),
    "content_text": _string("Its text.", LONGEST_TEXT),
    "content_html": _string("Its text as HTML; used where there is no content_text.", LONGEST_TEXT),
    "tags": _member(
        "What it is about.",
        _tags,
        type="array",
        maxItems=MOST_TAGS,
        items={"type": "string", "minLength": 1, "maxLength": LONGEST_TAG},
    ),
    "language": _member("Its language.", _language, type="string", pattern=f"^{_LANGUAGE.pattern}$"),
    "authors": _member("Who wrote it.", _authors, type="array", maxItems=MOST_AUTHORS, items=_AUTHOR_SCHEMA),
    "author": _member("Who wrote it, as JSON Feed 1 had it.", _author, **_AUTHOR_SCHEMA),
    "date_published": _member(
        "When it was published; one in the future is refused.", _moment, type="string", format="date-time"
    ),
}
