"""Addresses: one spelling to mail to, one key per person, and a plain reason for what is none."""

from __future__ import annotations

import re
from unittest.mock import patch

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from alerts.core import addresses
from alerts.core.addresses import LONGEST, Address, mask, normalise
from alerts.core.errors import AddressError

LONG_DOMAIN = ".".join(["a" * 60] * 3) + ".com"  # 186 characters


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("alice@example.com", Address("alice@example.com", "alice@example.com", "example.com", False)),
        (" Alice@EXAMPLE.com\r\n", Address("Alice@example.com", "alice@example.com", "example.com", False)),
        ("alice+news@example.com", Address("alice+news@example.com", "alice+news@example.com", "example.com", False)),
        (
            "Alice@Münch\u0065n.example",
            Address("Alice@xn--mnchen-3ya.example", "alice@xn--mnchen-3ya.example", "xn--mnchen-3ya.example", False),
        ),
        ("用户@例え.jp", Address("用户@xn--r8jz45g.jp", "用户@xn--r8jz45g.jp", "xn--r8jz45g.jp", True)),
        ("RENE\u0301@example.com", Address("REN\u00c9@example.com", "ren\u00e9@example.com", "example.com", True)),
        ("bob@localhost", Address("bob@localhost", "bob@localhost", "localhost", False)),
        (
            "o'neil@mail.corp.local",
            Address("o'neil@mail.corp.local", "o'neil@mail.corp.local", "mail.corp.local", False),
        ),
    ],
)
def test_an_address_is_read(typed: str, address: Address) -> None:
    assert normalise(typed) == address


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "is empty"),
        ("  \t ", "is empty"),
        ("not-an-email", "must have an @-sign"),
        ("@example.com", "something before the @-sign"),
        ("alice@", "something after the @-sign"),
        ("alice@example", "no ending"),
        ("alice@1.2.3.4", "numbers"),
        ("alice@[127.0.0.1]", "bracketed"),
        ("alice@@example.com", "invalid characters"),
        ("alice example@example.com", "SPACE"),
        ("a..b@example.com", "two periods"),
        ('"alice smith"@example.com', "quoting"),
        ("alice(home)@example.com", "invalid characters"),
        ("Alice <alice@example.com>", "display name"),
        ("alice@example.com, bob@example.com", "invalid characters"),
        ("alice@example.com\r\nBcc: mallory@example.net", "U\\+000D"),
        ("ali\0ce@example.com", "U\\+0000"),
        ("ali\ud800ce@example.com", "U\\+D800"),
        ("ali\u202ece@example.com", "OVERRIDE"),
        ("ali\ufffdce@example.com", "could not be read"),
        ("alice@ex\u200dample.com", "JOINER"),
        ("a" * 65 + "@example.com", "too long"),
        ("alice@" + "a" * 64 + ".com", "too long|so many"),
        ("a" * 64 + "@" + LONG_DOMAIN + "a" * 5, "too long"),
        ("alice@" + LONG_DOMAIN[:-4] + "." + "a" * 60 + "." + "b" * 20 + ".com", "too long"),
        ("x" * 100_000 + "@example.com", "at most 254"),
        ("é" * 40 + "@" + LONG_DOMAIN, "too long"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(typed: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason) as refused:
        normalise(typed)
    assert str(refused.value).isprintable()


def test_whatever_the_library_stumbles_over_is_no_address() -> None:
    with patch.object(addresses, "validate_email", side_effect=UnicodeError("idna")), pytest.raises(AddressError):
        normalise("alice@münchen.example")


def test_an_address_that_grows_past_the_limit_as_a_label_is_refused() -> None:
    found = validate_email("alice@example.com", check_deliverability=False)
    found.ascii_domain = "a" * LONGEST + ".com"
    with patch.object(addresses, "validate_email", return_value=found), pytest.raises(AddressError, match="octets"):
        normalise("alice@münchen.example")


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = normalise(text)
    except AddressError as error:
        assert str(error).isprintable()  # noqa: PT017 - either answer is right
    else:
        assert not re.search(r"[\s\x00-\x1f\x7f<>,;:\"()]", address.email)


local_parts = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z]{1,5})?", fullmatch=True)


@given(local_parts, domains())
def test_the_short_way_and_the_long_way_agree(local: str, domain: str) -> None:
    typed = f"{local}@{domain}"
    with patch.object(addresses, "_split_plain", return_value=None):
        try:
            long_way: Address | None = normalise(typed)
        except AddressError:
            long_way = None
    if addresses._split_plain(typed):
        assert normalise(typed) == long_way


@given(local_parts, domains())
def test_reading_what_was_read_changes_nothing(local: str, domain: str) -> None:
    try:
        once = normalise(f"{local}@{domain}")
    except AddressError:
        return
    assert normalise(once.email) == once
    assert normalise(once.email.upper()).key == once.key


def test_an_address_is_masked() -> None:
    assert mask("bob@example.com") == "b•••@e…"
    assert mask("用户@例え.jp") == "用•••@例…"
    assert mask("") == "•••@…"
