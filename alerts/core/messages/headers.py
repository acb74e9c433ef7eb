"""Header lines that nothing untrusted can break out of; it does not know which headers a mail has (``compose``).

Python's own header encoder decodes an encoded word that it finds in a value and, on 3.11, writes the line ends inside
it (CVE-2024-6923). So we encode ourselves: text is either plain words that no reader can take for anything else, or
it is encoded as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

from alerts.core.addresses import mask, normalise
from alerts.core.errors import AddressError
from alerts.core.text import clean_line, excerpt

LINE = 78  # columns of a header line where folding is legal (RFC 5322)
ENCODED_WORD = 75  # characters of an encoded word (RFC 2047)
SUBJECT = 150  # characters of a subject (E8)
_PLAIN_WORD = 60  # characters of a word that may stand unencoded: with its field's name it fits a line
_QUOTED = 66  # likewise for a quoted display name after "From: "

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_REPLY_MARKS = re.compile(
    r"\A(?:\s*(?:re|fwd?|aw|antw|wg|sv|vs|tr|rv|rif|odp|回复|回覆|答复|转发|轉寄)\s*(?:[\[(]\d+[\])])?\s*[:：])+\s*",
    re.IGNORECASE,
)
_ATOM = re.compile(r"\A[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+\Z")
_DOT_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_ORDINARY = re.compile(rf"\A(?=.{{3,254}}\Z){_DOT_ATOM}@{_DOMAIN}\Z")
_IS_DOMAIN = re.compile(rf"\A(?=.{{1,253}}\Z){_DOMAIN}\Z")
_MESSAGE_ID = re.compile(rf"\A<[A-Za-z0-9][A-Za-z0-9._+-]*@{_DOMAIN}>\Z")
_IDEOGRAPHIC_DOTS = re.compile("[\u3002\uff0e\uff61]")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")


def field(name: str, *tokens: str) -> bytes:
    """Write one header: ``tokens`` parted by a space, or by a fold where the line would pass 78 columns."""
    lines = [f"{name}: {tokens[0]}"]
    for token in tokens[1:]:
        if len(lines[-1]) + 1 + len(token) > LINE:
            lines.append("")
        lines[-1] += f" {token}"
    return "\r\n".join(lines).encode("utf-8") + b"\r\n"


def subject(text: str, *, fallback: str) -> bytes:
    """Write the Subject: one line of at most 150 characters that is no reply to anything (E8)."""
    line = subject_text(text) or subject_text(fallback) or "News Alert"
    return field("Subject", *_text_tokens(line, first=LINE - len("Subject: ")))


def subject_text(text: str) -> str:
    """Tidy and bound what shall be a subject; what is left may be empty."""
    return excerpt(without_reply_marks(clean_line(_DIRECTION_MARKS.sub("", text))), SUBJECT)


def without_reply_marks(text: str) -> str:
    """Take "Re:", "Fwd:", "AW:" and their like off the beginning."""
    return _REPLY_MARKS.sub("", text)


def mailbox(name: str, address: str) -> tuple[str, ...]:
    """Return the tokens of ``name <address>``; the name is never read as anything but a name."""
    return (*_phrase(clean_line(_DIRECTION_MARKS.sub("", name))), f"<{wire_address(address)}>")


def list_id(name: str, slug: str, namespace: str) -> tuple[str, ...]:
    """Return the tokens of ``Channel name <slug.namespace>`` (RFC 2919); always ASCII, never encoded (E9, E10)."""
    label = re.sub(r"[^A-Za-z0-9_-]", lambda odd: f"-{ord(odd[0]):x}", slug)
    phrase = _ascii_phrase(name) or _ascii_phrase(slug)
    return (*phrase, f"<{label}.{namespace}>")


@lru_cache(maxsize=256)
def date(at: datetime) -> str:
    """Write an aware time as RFC 5322 does, in UTC, with a numeric zone (E6)."""
    at = at.astimezone(UTC)
    return f"{_DAYS[at.weekday()]}, {at:%d} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} +0000"


def message_id(value: str) -> str:
    """Return ``value``, which must be ``<left@domain>`` in plain ASCII (E7)."""
    if not _MESSAGE_ID.match(value):
        raise ValueError(f"not a Message-ID: {value[:100]!r}; it must look like <id@domain>")
    return value


def needs_smtputf8(recipient: str) -> bool:
    """Return whether only a relay that offers SMTPUTF8 can take mail for this address (E24)."""
    return not recipient.rpartition("@")[0].isascii()


@lru_cache(maxsize=16)  # each is asked for more than once a mail
def wire_address(address: str) -> str:
    """Return the address as it goes over the wire, its domain as A-labels; raise AddressError for what is none."""
    email = address if _ORDINARY.match(address) else normalise(address).email
    if "=?" in email:  # a legal local part; a reader of the header could take it for an encoded word
        raise AddressError(f"{mask(email)} cannot be written into a header unharmed")
    return email


def ascii_domain(domain: str) -> str:
    """Return a domain in ASCII, by the mapping of UTS 46 (which keeps "ß", where IDNA 2003 goes astray to "ss").

    Raise ValueError for what is no domain.
    """
    whole = ".".join(_a_label(label) for label in _IDEOGRAPHIC_DOTS.sub(".", domain).split("."))
    if not _IS_DOMAIN.match(whole):
        raise ValueError(f"{clean_line(domain)[:100]!r} is no domain")
    return whole


def _a_label(label: str) -> str:
    if label.isascii():
        return label
    mapped = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).lower())
    if any(unicodedata.category(character)[0] in "CZ" for character in mapped):
        raise ValueError(f"{clean_line(label)[:100]!r} is no domain")
    return mapped if mapped.isascii() else "xn--" + mapped.encode("punycode").decode("ascii")


def _phrase(text: str) -> tuple[str, ...]:
    """Return the tokens of a display name: words, one quoted string, or encoded words."""
    words = text.split()
    if _is_plain(text):
        if all(_ATOM.match(word) for word in words):
            return tuple(words)
        quoted = _quoted(text)
        if len(quoted) <= _QUOTED:
            return (quoted,)
    return encoded_words(text, first=LINE - len("From: "))


def _ascii_phrase(text: str) -> tuple[str, ...]:
    """Return a display name that needs no encoding, from the letters of ``text`` without their accents, or nothing."""
    letters = unicodedata.normalize("NFKD", clean_line(text))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    if not bare.isascii():
        return ()
    short = excerpt(re.sub(r'[<>"\\]|=\?', " ", bare), _QUOTED - 2).replace("…", "")
    words = short.split()
    return tuple(words) if all(_ATOM.match(word) for word in words) else (_quoted(" ".join(words)),)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text_tokens(text: str, *, first: int) -> tuple[str, ...]:
    return tuple(text.split(" ")) if _is_plain(text) else encoded_words(text, first=first)


def _is_plain(text: str) -> bool:
    """Return whether text may stand in a header as it is: ASCII, foldable, and never taken for an encoded word."""
    return (
        text.isascii()
        and text.isprintable()
        and "=?" not in text
        and all(len(word) <= _PLAIN_WORD for word in text.split(" "))
    )


def encoded_words(text: str, *, first: int = ENCODED_WORD) -> tuple[str, ...]:
    """Encode all of ``text`` as words of RFC 2047, in Q or B, whichever is shorter; ``first`` bounds the first word."""
    as_q = tuple(f"=?utf-8?q?{_q(chunk)}?=" for chunk in _chunks(text, first=first, width=_q_width))
    as_b = tuple(f"=?utf-8?b?{_b(chunk)}?=" for chunk in _chunks(text, first=first, width=_b_width))
    return min(as_q, as_b, key=lambda words: sum(map(len, words)))


def _chunks(text: str, *, first: int, width: Callable[[bytes], int]) -> Iterator[bytes]:
    """Cut ``text`` between characters so that each piece, encoded, fits its word."""
    room = min(first, ENCODED_WORD) - len("=?utf-8?q??=")
    chunk = b""
    for character in text:
        octets = character.encode("utf-8")
        if chunk and width(chunk + octets) > room:
            yield chunk
            chunk, room = b"", ENCODED_WORD - len("=?utf-8?q??=")
        chunk += octets
    yield chunk


def _q(octets: bytes) -> str:
    return "".join("_" if o == 0x20 else chr(o) if o in _Q_SAFE else f"={o:02X}" for o in octets)  # noqa: PLR2004


def _q_width(octets: bytes) -> int:
    return len(_q(octets))


def _b(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode("ascii")


def _b_width(octets: bytes) -> int:
    return (len(octets) + 2) // 3 * 4
