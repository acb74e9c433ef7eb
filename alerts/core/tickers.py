"""Stock tickers in a text: ``NASDAQ: TSLA``, ``1810.HK``; not a look-up of companies.

An exchange's code has to be a known one, or every ``UPDATE: BYD`` would be a share. Exchanges whose code is also
an ordinary word, and one-letter codes, count only within brackets.
"""

from __future__ import annotations

import re

MAX_TICKERS = 50

_LETTERS = r"[A-Z]{1,6}(?:[.\-][A-Z]{1,2})?"
_MIXED = r"[A-Z0-9]{1,10}(?:[.\-][A-Z0-9]{1,3})?"

# What a code looks like, by exchange (the codes that pages print, those of Google Finance among them).
_CODES: dict[str, str] = {
    **dict.fromkeys(("HKG", "HKEX", "SEHK", "HK"), r"[0-9]{1,5}"),
    **dict.fromkeys(("SHE", "SZSE", "SHA", "SSE", "BJSE", "BJS"), r"[0-9]{6}"),
    **dict.fromkeys(("TYO", "JPX"), r"[0-9][0-9A-Z][0-9][0-9A-Z]"),
    **dict.fromkeys(("KRX", "KOSDAQ", "KOSPI"), r"[0-9]{5}[0-9A-Z]"),
    **dict.fromkeys(("TPE", "TWSE", "TWO", "TPEX"), r"[0-9]{4,6}[A-Z]?"),
    **dict.fromkeys(("KLSE",), r"(?:[0-9]{4}|[A-Z]{2,8})"),
    **dict.fromkeys(("NASDAQ", "NYSE", "NYSEAMERICAN", "NYSEARCA", "AMEX"), _LETTERS),
    **dict.fromkeys(("OTC", "OTCMKTS", "OTCPK", "OTCQX", "OTCQB", "OTCBB"), _LETTERS),
    **dict.fromkeys(("LON", "LSE", "ETR", "FRA", "XETRA", "FWB", "EPA", "AMS", "EBR", "ELI", "SWX", "VTX"), _MIXED),
    **dict.fromkeys(
        ("STO", "CPH", "OSL", "HEL", "ICE", "WSE", "BME", "VIE", "IST", "BVMF", "BMV", "JSE", "TLV"), _MIXED
    ),
    **dict.fromkeys(
        ("ASX", "NZX", "NZE", "SGX", "SES", "NSE", "BSE", "BOM", "IDX", "BKK", "TSX", "TSXV", "CVE"), _MIXED
    ),
    **dict.fromkeys(("TSE", "BIT", "SET", "NEO", "PINK", "BIST", "MCX", "ENX"), _MIXED),
}
_ONLY_IN_BRACKETS = frozenset(
    {"BIT", "SET", "NEO", "PINK", "ICE", "IST", "TWO", "LON", "HEL", "TSE", "OTC", "MCX", "BOM"}
)
_HONG_KONG = frozenset({"HKG", "HKEX", "SEHK", "HK"})

# Reuters' and the Chinese press's way: the code first. Digits are plain enough to count anywhere.
_SUFFIXES: dict[str, tuple[str, str]] = {
    "HK": ("HKG", r"[0-9]{4,5}"),
    "SZ": ("SHE", r"[0-9]{6}"),
    "SH": ("SHA", r"[0-9]{6}"),
    "SS": ("SHA", r"[0-9]{6}"),
    "T": ("TYO", r"[0-9]{4}"),
    "KS": ("KRX", r"[0-9]{6}"),
    "KQ": ("KOSDAQ", r"[0-9]{6}"),
    "TW": ("TPE", r"[0-9]{4}"),
    "O": ("NASDAQ", r"[A-Z]{2,5}"),
    "N": ("NYSE", r"[A-Z]{2,5}"),
    "DE": ("ETR", r"[A-Z0-9]{2,5}"),
    "PA": ("EPA", r"[A-Z]{2,5}"),
    "MI": ("BIT", r"[A-Z]{2,6}"),
    "AX": ("ASX", r"[A-Z]{2,5}"),
}

_NAMED = re.compile(
    r"(?<![A-Za-z0-9])"
    r"(?P<exchange>[Nn]asdaq(?:[GC][SM])?|NASDAQ[GC][SM]|NYSE (?:American|Arca|AMERICAN|ARCA)|[A-Z]{2,12})"
    r"[ \u00a0]?[::][ \u00a0]?\$?(?P<code>[A-Z0-9]{1,10}(?:[.\-][A-Z0-9]{1,3})?)(?![A-Za-z0-9])"
)
_SUFFIXED = re.compile(r"(?<![A-Za-z0-9.])(?P<code>[A-Z0-9]{2,6})\.(?P<suffix>[A-Z]{1,2})(?![A-Za-z0-9])")
_CLOSING = re.compile(r"[))\],,;;/、]| ?$")
_BRACKET_REACH = 200


def find_tickers(text: str) -> tuple[str, ...]:
    """Return the tickers of ``text`` as ``"EXCHANGE: CODE"``, in order, each once, at most ``MAX_TICKERS``.

    >>> find_tickers("Xiaomi (HKG: 1810, OTCMKTS: XIACY) and Geely (0175.HK)")
    ('HKG: 1810', 'OTCMKTS: XIACY', 'HKG: 0175')
    """
    found = [(match.start(), _named(text, match)) for match in _NAMED.finditer(text)]
    found += [(match.start(), _suffixed(text, match)) for match in _SUFFIXED.finditer(text)]
    in_order = (ticker for _, ticker in sorted(found, key=lambda at: at[0]) if ticker)
    return tuple(dict.fromkeys(in_order))[:MAX_TICKERS]


def is_exchange(code: str) -> bool:
    """Say whether an exchange is known by these letters, in capitals or not."""
    return code.upper() in _CODES


def in_one_way(ticker: str) -> str:
    """Return a share in the one way in which all are compared, however it is written; what is none stays.

    >>> [in_one_way(written) for written in ("1810.HK", "SEHK:01810", "$TSLA", "NASDAQ:TSLA", "1810")]
    ['HKG:1810', 'HKG:1810', 'TSLA', 'NASDAQ:TSLA', '1810']
    """
    text = ticker.removeprefix("$")
    code, _, suffix = text.upper().rpartition(".")
    known = _SUFFIXES.get(suffix)
    if known is not None and re.fullmatch(known[1], code):
        return _in_its_exchange(known[0], code)
    exchange, colon, code = text.partition(":")
    is_hong_kong = colon and exchange.upper() in _HONG_KONG and re.fullmatch(_CODES["HKG"], code)
    return _in_its_exchange("HKG", code) if is_hong_kong else text


def _named(text: str, match: re.Match[str]) -> str:
    """Read ``NASDAQ: TSLA``; an empty string when it is not a ticker."""
    exchange = _exchange(match["exchange"])
    code = match["code"]
    shape = _CODES.get(exchange)
    if shape is None or not re.fullmatch(shape, code):
        return ""
    needs_brackets = exchange in _ONLY_IN_BRACKETS or len(code) == 1
    if needs_brackets and not (_in_brackets(text, match.start()) and _CLOSING.match(text, match.end())):
        return ""
    return _ticker(exchange, code)


def _exchange(written: str) -> str:
    """Fold the ways in which the American exchanges are written."""
    folded = written.upper().replace(" ", "")
    return "NASDAQ" if folded.startswith("NASDAQ") else folded


def _suffixed(text: str, match: re.Match[str]) -> str:
    """Read ``1810.HK``; an empty string when it is not a ticker."""
    known = _SUFFIXES.get(match["suffix"])
    code = match["code"]
    if known is None or not re.fullmatch(known[1], code):
        return ""
    if not code.isdecimal() and not (_in_brackets(text, match.start()) and _CLOSING.match(text, match.end())):
        return ""
    return _ticker(known[0], code)


def _ticker(exchange: str, code: str) -> str:
    """Join the two as pages do."""
    return _in_its_exchange(exchange, code).replace(":", ": ")


def _in_its_exchange(exchange: str, code: str) -> str:
    """Join the two; Hong Kong's codes have four digits, however many zeros a page prints."""
    return f"{exchange}:{str(int(code)).zfill(4) if exchange in _HONG_KONG else code}"


def _in_brackets(text: str, position: int) -> bool:
    """Say whether the nearest bracket before ``position``, on its line, is an open one."""
    before = text[max(0, position - _BRACKET_REACH) : position].rpartition("\n")[2]
    return max(map(before.rfind, "((["), default=-1) > max(map(before.rfind, "))]"), default=-1)
