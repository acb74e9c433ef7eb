"""Bring the bytes of a feed or a page to text, whatever server and document claim; guesses nothing from statistics.

Claims are often wrong in one way: a server's default says Latin-1 of what is UTF-8. Bytes beyond ASCII that are sound
UTF-8 are UTF-8; then the document's own claim counts, then the server's, each only if the bytes bear it out. Bytes that
are UTF-8 but for a few, as where an excerpt was cut within a letter, are UTF-8 whatever set without gaps they claim.
"""

from __future__ import annotations

import codecs
import re

_MARKS = (  # the longer first: UTF-32's mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = ((b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"), (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"))
# As browsers read them: the name is the older subset, the bytes are the larger set.
_LARGER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
_DECLARED = re.compile(rb"\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:+-]{1,40})", re.IGNORECASE)
_DECLARED_IN_PAGE = re.compile(rb"""<meta[^>]{1,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:+-]{1,40})""", re.IGNORECASE)
_DECLARED_WITHIN = 4_096  # bytes of a page; browsers look at 1,024
_NEVER_CLAIMED = re.compile(r"utf-(?:7|16|32)|idna|punycode|.*escape|undefined")  # hide markup, or show in the bytes
_TELLING = frozenset({"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "utf-8"})  # most bytes are no text in these
_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_UNREADABLE = "\ufffd"
_LETTERS_FOR_A_BROKEN_ONE = 4  # single-byte and Chinese texts have fewer by chance than broken ones
_SEVEN_BITS = re.compile(r"\A(?:iso2022|hz)")


def decode_feed(body: bytes, *, charset: str | None = None) -> str:
    """Return the text of a feed; ``charset`` is what the server claims. What cannot be read becomes U+FFFD."""
    return _decode(body, _DECLARED.match(body[:400]), charset)


def decode_page(body: bytes, *, charset: str | None = None) -> str:
    """Return the text of an HTML page, likewise."""
    declared = _DECLARED_IN_PAGE.search(body[:_DECLARED_WITHIN]) or _DECLARED.match(body[:400])
    return _decode(body, declared, charset)


def _decode(body: bytes, declared: re.Match[bytes] | None, charset: str | None) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    for start, encoding in _UNMARKED:
        if body.startswith(start):
            return body.decode(encoding, "replace")
    claims = [name for name in (_known(declared and declared[1].decode("ascii")), _known(charset)) if name]
    shifting = [name for name in claims if _SEVEN_BITS.match(name)]  # all ASCII, and yet not ASCII
    telling = [name for name in claims if name in _TELLING]
    for encoding in (*shifting, "utf-8", *telling):
        try:
            return body.decode(encoding)
        except UnicodeError:
            continue
    text = body.decode("utf-8", "replace")
    if _is_hardly_broken(text, body):
        return text
    for encoding in claims:
        try:
            return body.decode(encoding)
        except UnicodeError:
            continue
    return body.decode(claims[0] if claims else "cp1252", "replace")


def _is_hardly_broken(text: str, body: bytes) -> bool:
    """Say whether ``text``, the bytes read as UTF-8, has many times more letters beyond ASCII than broken places."""
    broken = text.count(_UNREADABLE) - body.count(_UNREADABLE.encode())
    beyond_ascii = sum(map(len, _BEYOND_ASCII.findall(text))) - broken
    return beyond_ascii > _LETTERS_FOR_A_BROKEN_ONE * broken


def _known(name: str | None) -> str | None:
    """Return the codec of a claimed encoding; None when there is none for text."""
    try:
        codec = codecs.lookup(name or "").name
        "".encode(codec)
    except (LookupError, ValueError):
        return None
    return None if _NEVER_CLAIMED.match(codec) else _LARGER.get(codec, codec)
