"""Which words of a text are tickers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.tickers import MAX_TICKERS, find_tickers


@pytest.mark.parametrize(
    ("text", "tickers"),
    [
        ("CEO of Xiaomi (HKG: 1810, OTCMKTS: XIACY), said", ("HKG: 1810", "OTCMKTS: XIACY")),
        ("Tesla (NASDAQ: TSLA)'s Model Y", ("NASDAQ: TSLA",)),
        ("NYSE: NIO rose", ("NYSE: NIO",)),
        ("NASDAQ:TSLA", ("NASDAQ: TSLA",)),
        ("(SHE: 002594)", ("SHE: 002594",)),
        ("小米集团(1810.HK)、比亚迪(002594.SZ,01211.HK)", ("HKG: 1810", "SHE: 002594", "HKG: 1211")),
        ("上汽集团600104.SH上涨", ("SHA: 600104",)),
        ("HKEX:175", ("HKEX: 0175",)),
        ("(Nasdaq: LI; HKEX: 2015)", ("NASDAQ: LI", "HKEX: 2015")),
        ("NasdaqGS: LI", ("NASDAQ: LI",)),
        ("(NYSE American: NIO)", ("NYSEAMERICAN: NIO",)),
        ("(TSLA.O)", ("NASDAQ: TSLA",)),
        ("(NYSE: F)", ("NYSE: F",)),
        ("(NYSE: BRK.B)", ("NYSE: BRK.B",)),
        ("(BIT: STLAM)", ("BIT: STLAM",)),
        ("NASDAQ: TSLA, NASDAQ: TSLA", ("NASDAQ: TSLA",)),
    ],
)
def test_a_ticker_is_found_and_written_one_way(text: str, tickers: tuple[str, ...]) -> None:
    assert find_tickers(text) == tickers


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE: BYD",
        "NYSE: A new record",
        "(NYSE: A new record)",
        "BIT: MORE",
        "SET: 10",
        "(closed) SET: 10",
        "HKG: XIACY",
        "SHE: 2594",
        "NASDAQ: Tesla",
        "NASDAQ: TSLAx",
        "XNYSE: NIO",
        "xNYSE: NIO",
        "version 1810.HKT",
        "TSLA.O",
        "1810.XX",
        "12.HK",
        "",
    ],
)
def test_what_only_looks_like_a_ticker_is_none(text: str) -> None:
    assert find_tickers(text) == ()


def test_a_list_of_all_shares_is_cut() -> None:
    assert len(find_tickers(" ".join(f"HKG: {code}" for code in range(1, 500)))) == MAX_TICKERS


@given(st.text(alphabet="NYSEHKG:.( )01A\n", max_size=200))
def test_any_text_has_an_answer_whose_tickers_are_found_again(text: str) -> None:
    tickers = find_tickers(text)
    assert len(set(tickers)) == len(tickers)
    assert find_tickers(f"({', '.join(tickers)})") == tickers
