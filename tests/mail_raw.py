"""A mail read by hand, without the library whose reading is in question."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from quopri import decodestring

ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[^?\s]*\?[^?\s]*\?=")


@dataclass(frozen=True)
class Part:
    """One part of the multipart, decoded by hand."""

    headers: dict[str, str]
    raw: bytes
    text: str


def subject_of(raw: bytes) -> str:
    """Decode a mail's subject by hand."""
    return next(decode_words(value) for name, value in fields(raw.partition(b"\r\n\r\n")[0]) if name == "subject")


def texts_of(raw: bytes) -> tuple[str, str]:
    """Return the text and the HTML of a mail, decoded by hand; lines end in LF."""
    head, _, body = raw.partition(b"\r\n\r\n")
    text, html = parts(dict(fields(head))["content-type"], body)
    return text.text, html.text


def decode_words(value: str) -> str:
    """Decode the encoded words of a header by hand (RFC 2047): between two of them, a space is none."""
    joined = re.sub(rf"({ENCODED_WORD.pattern})\s+(?={ENCODED_WORD.pattern})", r"\1", value)
    return ENCODED_WORD.sub(lambda word: decode_word(word[0]), joined)


def decode_word(word: str) -> str:
    _, charset, encoding, payload, _ = word.split("?")
    if encoding.lower() == "b":
        return b64decode(payload, validate=True).decode(charset)
    return decodestring(payload.replace("_", " ").encode("ascii"), header=False).decode(charset)


def fields(head: bytes) -> list[tuple[str, str]]:
    """Return name and unfolded value of every header."""
    found: list[tuple[str, str]] = []
    for line in head.split(b"\r\n"):
        text = line.decode("utf-8", "surrogateescape")
        if line[:1] in {b" ", b"\t"} and found:
            found[-1] = (found[-1][0], found[-1][1] + text)
        else:
            name, _, value = text.partition(":")
            found.append((name.lower(), value.strip()))
    return found


def parts(content_type: str, body: bytes) -> list[Part]:
    found = re.search(r'boundary="([^"]+)"', content_type)
    assert found, "no boundary"
    pieces = (b"\r\n" + body).split(b"\r\n--" + found[1].encode("ascii"))
    assert pieces[0].strip() == b"", "text before the first boundary"
    assert pieces[-1].startswith(b"--"), "no closing boundary"
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, _, raw = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    headers = dict(fields(head))
    octets = decodestring(raw) if headers.get("content-transfer-encoding") == "quoted-printable" else raw
    return Part(headers, raw, octets.decode("utf-8").replace("\r\n", "\n"))
