"""Header lines that nothing untrusted can break out of."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mail_rules import decode_words

from alerts.core.errors import AddressError
from alerts.core.messages.headers import (
    ascii_domain,
    date,
    encoded_words,
    field,
    list_id,
    mailbox,
    message_id,
    needs_smtputf8,
    subject,
    subject_text,
    wire_address,
)

INJECTION = "=?utf-8?q?T=0D=0ABcc:_evil=40x=0D=0A=0D=0ABODY?="
ANYTHING = st.text(st.characters(codec=None), max_size=400)


def unfolded(line: bytes) -> str:
    return line.decode("ascii").replace("\r\n ", " ").removesuffix("\r\n").partition(": ")[2]


@given(ANYTHING)
@example(INJECTION)
@example("=?utf-8?b?QQ==?= =?x")
@example("a\r\nBcc: mallory@example.com")
@example("x" * 500)
@example("é" * 500)
@example("👩‍👩‍👧‍👦" * 100)
def test_a_subject_reads_back_as_the_text_that_it_was_made_from(text: str) -> None:
    line = subject(text, fallback="EV Daily")

    expected = subject_text(text) or "EV Daily"
    assert decode_words(unfolded(line)) == expected
    assert all(len(part) <= 78 for part in line.split(b"\r\n"))
    assert re.fullmatch(rb"Subject: [ -~]+(\r\n [ -~]+)*\r\n", line)
    parsed = email.message_from_bytes(line + b"\r\n", policy=email.policy.strict)
    assert parsed.keys() == ["Subject"]
    assert parsed["subject"] == expected
    assert not parsed["subject"].defects


@given(ANYTHING)
@example(INJECTION)
def test_a_message_that_is_parsed_and_written_again_gains_no_header(text: str) -> None:
    line = subject(text, fallback="EV Daily")

    again = email.message_from_bytes(line + b"\r\nbody\r\n", policy=email.policy.compat32).as_bytes()

    assert email.message_from_bytes(again).keys() == ["Subject"]


@given(ANYTHING)
def test_a_subject_text_is_short_and_has_no_controls(text: str) -> None:
    tidy = subject_text(text)

    assert len(tidy) <= 150
    assert not re.search("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", tidy)
    assert not re.match(r"(?:re|fwd?|aw)\s*:", tidy, re.IGNORECASE)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Re: Fwd: AW: Xiaomi", "Xiaomi"),
        ("RE[2]: fw : Xiaomi", "Xiaomi"),
        ("回复：小米", "小米"),
        ("Re:", ""),
        ("\u200eRe: Xiaomi", "Xiaomi"),
        ("Results: up", "Results: up"),
        ("A re: B", "A re: B"),
    ],
)
def test_marks_of_a_reply_fall_off_a_subject(written: str, kept: str) -> None:
    assert subject_text(written) == kept


def test_a_subject_of_nothing_says_who_it_is_from() -> None:
    assert subject("\0\u202e", fallback="EV Daily") == b"Subject: EV Daily\r\n"
    assert subject("", fallback="") == b"Subject: News Alert\r\n"


def test_plain_text_stands_plain_and_folds_between_words() -> None:
    line = subject("word " * 28, fallback="")

    assert b"=?" not in line
    assert line.count(b"\r\n ") == 1


def test_text_is_encoded_in_whichever_way_is_shorter() -> None:
    assert encoded_words("Škoda shows an electric estate")[0].startswith("=?utf-8?q?")
    assert encoded_words("小米汽车")[0].startswith("=?utf-8?b?")


def test_a_character_is_never_split_over_two_words() -> None:
    for word in encoded_words("😀小é" * 60, first=30):
        assert len(word) <= 75
        assert decode_words(word)


@pytest.mark.parametrize(
    "name",
    [
        "EV Daily",
        'Doe, "EV" <Daily>',
        "EV @ Daily; Co: (x)",
        "小米日报",
        INJECTION,
        "x" * 90,
        '"' * 70,
        'Doe, "EV" ' * 9,
        "a\r\nB: c",
        "O'Brien",
    ],
)
def test_a_display_name_is_read_as_that_name_and_nothing_else(name: str) -> None:
    line = field("From", *mailbox(name, "alerts@news.example"))

    phrase = unfolded(line).removesuffix(" <alerts@news.example>")
    shown = re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase.startswith('"') else decode_words(phrase)
    assert shown == " ".join(name.split())
    assert all(len(part) <= 78 for part in line.split(b"\r\n"))
    parsed = email.message_from_bytes(line + b"\r\n", policy=email.policy.strict)["from"]
    (box,) = parsed.addresses
    assert box.addr_spec == "alerts@news.example"
    # Python puts a space between two encoded words of a display name, where RFC 2047 has none.
    assert box.display_name == shown or phrase.count("=?utf-8?") > 1


def test_a_display_name_of_nothing_leaves_the_address() -> None:
    assert field("From", *mailbox("\u202e", "alerts@news.example")) == b"From: <alerts@news.example>\r\n"


@pytest.mark.parametrize(
    ("name", "slug", "written"),
    [
        ("Xiaomi", "xiaomi", "Xiaomi <xiaomi.news.example>"),
        ("US market", "us-market", "US market <us-market.news.example>"),
        ("Škoda", "skoda", "Skoda <skoda.news.example>"),
        ("小米", "xiaomi", "xiaomi <xiaomi.news.example>"),
        ("A, B & <C>", "abc", '"A, B & C" <abc.news.example>'),
        ("=?utf-8?q?x?=", "x", "utf-8?q?x?= <x.news.example>"),
        ("小米", "小", "<-5c0f.news.example>"),
        ("a.b", "a.b", '"a.b" <a-2eb.news.example>'),
    ],
)
def test_a_list_id_is_ascii_whatever_the_channel_is_called(name: str, slug: str, written: str) -> None:
    assert " ".join(list_id(name, slug, "news.example")) == written


def test_a_date_is_in_utc_with_a_numeric_zone() -> None:
    at = datetime(2026, 1, 5, 1, 2, 3, 999, tzinfo=timezone(timedelta(hours=8)))

    assert date(at) == "Sun, 04 Jan 2026 17:02:03 +0000"
    assert date(at.astimezone(UTC)) == date(at)


@pytest.mark.parametrize("value", ["1@x", "<1@x>\r\nBcc: y", "<1 2@x>", "<>", "<a@b@c>", "<1@x", "<ü@x>"])
def test_a_message_id_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        message_id(value)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice+news@mail.example.com", "Alice+news@mail.example.com"),
        ("root@localhost", "root@localhost"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@faß.de", "alice@xn--fa-hia.de"),
        ("jürgen@example.com", "jürgen@example.com"),
    ],
)
def test_an_address_goes_over_the_wire_with_an_ascii_domain(address: str, wire: str) -> None:
    assert wire_address(address) == wire


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "@example.com",
        "alice@",
        "x@=?",
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com, mallory@example.com",
        "<alice@example.com>",
        "a b@example.com",
        "=?utf-8?q?a?=@example.com",
        "alice@exa\0mple.com",
        "\ud800@example.com",
        "a" * 300 + "@example.com",
        "a@" + "b." * 150 + "com",
    ],
)
def test_what_is_no_single_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        wire_address(address)


def test_only_a_local_part_needs_smtputf8() -> None:
    assert needs_smtputf8("jürgen@example.com")
    assert not needs_smtputf8("alice@bücher.example")


@pytest.mark.parametrize(
    ("domain", "ascii_form"),
    [
        ("News.example", "News.example"),
        ("новости.example", "xn--b1amnebsh.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
    ],
)
def test_a_domain_becomes_a_labels(domain: str, ascii_form: str) -> None:
    assert ascii_domain(domain) == ascii_form


@pytest.mark.parametrize("domain", ["", "a..b", "-a", "a b", "x" * 64, "é" * 80, "\ud800", "a\u200b.é\u200b"])
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="no domain"):
        ascii_domain(domain)
