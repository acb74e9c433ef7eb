"""A caught mail as a person reads it: a few header lines, its text, its HTML. Not a mail client.

Total: mails are hostile, and what cannot be read is left empty; the source shows every byte anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime

MAX_HEADER = 2_000  # characters shown of one header
MAX_HEADERS = 200
MAX_PARTS = 200

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FOLD = re.compile(r"[\r\n]+[ \t]*")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a list shows of a mail."""

    subject: str
    sender: str
    recipient: str
    date: datetime | None


@dataclass(frozen=True, slots=True)
class OpenedMail:
    """What a page shows of a mail; ``headers`` as they stand, unfolded and decoded."""

    heading: Heading
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None


def heading(raw: bytes) -> Heading:
    """Read the header lines that a list needs from a mail, or from its first kilobytes."""
    end = re.search(rb"\r?\n\r?\n", raw)
    message = _parse(raw[: end.end()] if end else raw)
    return _heading(message)


def open_mail(raw: bytes) -> OpenedMail:
    """Take a mail apart."""
    message = _parse(raw)
    headers = tuple((_clean(name), _decoded(value)) for name, value in _raw_headers(message)[:MAX_HEADERS])
    texts = {kind: _first(message, kind) for kind in ("text/plain", "text/html")}
    return OpenedMail(_heading(message), headers, texts["text/plain"], texts["text/html"])


def _parse(raw: bytes) -> Message:
    try:
        return message_from_bytes(raw, policy=policy.compat32)
    except Exception:  # noqa: BLE001 - the email package raises anything on a hostile mail, RecursionError included
        return Message()


def _heading(message: Message) -> Heading:
    found = {name.lower(): value for name, value in reversed(_raw_headers(message))}
    return Heading(
        subject=_decoded(found.get("subject", "")),
        sender=_decoded(found.get("from", "")),
        recipient=_decoded(found.get("to", "")),
        date=_date(found.get("date", "")),
    )


def _raw_headers(message: Message) -> list[tuple[str, str]]:
    """Return the headers as text, the octets that are none as surrogates."""
    return [(str(name), str(value)) for name, value in message.raw_items()]


def _decoded(value: str) -> str:
    """Return a header as people read it: unfolded, encoded words decoded, nothing that would disturb a page."""
    flat = _FOLD.sub(" ", value[:MAX_HEADER]).strip()
    flat = flat.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if flat.isascii():  # the decoder spoils the rest where raw octets stand beside encoded words
        with suppress(HeaderParseError, LookupError, ValueError):
            flat = str(make_header(decode_header(flat)))
    return _clean(" ".join(flat.split()))


def _clean(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value[:100])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _first(message: Message, kind: str) -> str | None:
    """Return the first part of this kind that is not an attachment, decoded."""
    for part in _parts(message):
        with suppress(Exception):  # as in _parse
            if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
                return _body(part)
    return None


def _parts(message: Message) -> Iterator[Message]:
    """Walk the parts depth first, without recursion and not for ever."""
    waiting, seen = [message], 0
    while waiting and seen < MAX_PARTS:
        part, seen = waiting.pop(), seen + 1
        inner = part.get_payload()
        if isinstance(inner, list):
            waiting += [one for one in reversed(inner) if isinstance(one, Message)]
        else:
            yield part


def _body(part: Message) -> str | None:
    octets = part.get_payload(decode=True)
    if not isinstance(octets, bytes):
        return None
    charset = str(part.get_content_charset("utf-8"))
    try:
        text = octets.decode(charset, "replace")
    except (LookupError, ValueError):
        text = octets.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")
