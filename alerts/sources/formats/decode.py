"""From bytes to text: which encoding a file is in, or that it is no text; it does not tidy what it decodes.

A byte order mark settles it, then UTF-8 does, then what the file declares; a guess is the last resort, made only
between two encodings that old tools still write, and noted.
"""

from __future__ import annotations

import codecs
import re

from alerts.core.errors import ArticleError

_MARKS = (  # the longer first: UTF-32's mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# As browsers read them: what is declared as Latin-1 was always written as its Windows relative.
_ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "gb18030",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
}
_NOT_DECLARED = frozenset({"utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7"})
_CONTROLS = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_FEW_CONTROLS = 8
_FEW_CONTROLS_SHARE = 0.01
_GB_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_GB_SHARE = 0.9
_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_UTF8_SHARE = 0.5


def decode(data: bytes, *, declared: str | None = None) -> tuple[str, str | None]:
    """Return the text of a file and a note if its encoding was guessed; raise ArticleError when it is no text."""
    if not data.strip():
        raise ArticleError("is empty")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(_strictly(data[len(mark) :], encoding)), None
    if b"\0" in data:
        raise ArticleError("is not text (it holds NUL bytes)")
    try:
        return _checked(data.decode("utf-8")), None
    except UnicodeDecodeError as error:
        named = _known_encoding(declared)
        return (_checked(_strictly(data, named)), None) if named else _guess(data, error)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise ArticleError(f"is not text in the encoding that it declares, {encoding}; save it as UTF-8") from error


def _known_encoding(declared: str | None) -> str | None:
    """Return the codec for a declared name; None for one that is unknown, or that the bytes have disproved."""
    try:
        info = codecs.lookup((declared or "").strip())
    except (LookupError, ValueError):
        return None
    name = _ALIASES.get(info.name, info.name)
    if name in _NOT_DECLARED or not getattr(info, "_is_text_encoding", True):
        return None
    return (
        name if name not in {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs"} else None
    )


def _guess(data: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    """Take GB 18030 for text that is made of its two-byte characters, else Windows-1252; note it."""
    line = data.count(b"\n", 0, error.start) + 1
    if error.end == len(data) and error.reason == "unexpected end of data":
        raise ArticleError(f"ends in the middle of a character (line {line}); it is only half there") from error
    if _is_damaged_utf8(data):
        raise ArticleError(f"is UTF-8 with damaged characters, the first in line {line}; save it again") from error
    encoding = "gb18030" if _looks_like_gb(data) else "cp1252"
    try:
        text = _checked(data.decode(encoding))
    except UnicodeDecodeError:
        raise ArticleError(f"is not UTF-8 (line {line}), nor any encoding that we know; save it as UTF-8") from error
    return text, f"not UTF-8, read as {encoding}"


def _is_damaged_utf8(data: bytes) -> bool:
    """Say whether most of what is not ASCII is sound UTF-8: reading that as something else would garble all of it."""
    sound = sum(map(len, _UTF8_CHARACTER.findall(data)))
    return sound >= _UTF8_SHARE * len(_HIGH_BYTE.findall(data))


def _looks_like_gb(data: bytes) -> bool:
    high = len(_HIGH_BYTE.findall(data))
    return 2 * len(_GB_PAIR.findall(data)) >= max(_GB_SHARE * high, 4)


def _checked(text: str) -> str:
    """Refuse what decodes, but is no text: archives and pictures are full of control characters."""
    if "\0" in text:
        raise ArticleError("is not text (it holds NUL characters)")
    if not text.strip("\ufeff \t\r\n\f\v\u2028\u2029"):
        raise ArticleError("is empty")
    if len(_CONTROLS.findall(text)) > max(_FEW_CONTROLS, _FEW_CONTROLS_SHARE * len(text)):
        raise ArticleError("is not text (it is full of control characters)")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
