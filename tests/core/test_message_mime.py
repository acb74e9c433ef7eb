"""The two parts of a mail and the multipart around them."""

from __future__ import annotations

import email
import email.policy
import re
from quopri import decodestring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.core.messages.mime import CLOSE, OPEN, alternative, quoted_printable, seal, tidy

TOKEN = st.from_regex(r"\A[A-Za-z0-9_-]{44}\Z")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=f"\r\n\0{OPEN}{CLOSE}"), max_size=300)
LINES = st.lists(TEXT, max_size=8).map("\n".join)


@given(LINES)
@example(".\n..\nFrom here\nFrom\n.hidden \t\n=_\n=3D")
@example("x" * 75 + "\n" + "x" * 76 + "." * 80 + "\n" + " " * 80)
@example("x" * 75 + "From here " * 20)
@example("小" * 200)
def test_quoted_printable_reads_back_and_keeps_its_lines(text: str) -> None:
    encoded = quoted_printable(text)

    assert decodestring(encoded).decode("utf-8").replace("\r\n", "\n") == text
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))
        assert re.fullmatch(rb"(?:[\t -<>-~]|=[0-9A-F]{2})*=?", line)


@given(TEXT, TEXT, TOKEN, TOKEN)
@example("x" * 40, "", "From" * 11, "a" * 44)
@example("x" * 75, "From ", "_" * 44, "-" * 44)
def test_a_sealed_token_stays_whole_and_leaves_everything_else_where_it_was(
    before: str, after: str, one: str, two: str
) -> None:
    first = alternative(tidy(before + seal(one) + after), tidy(seal(one) + before))
    second = alternative(tidy(before + seal(two) + after), tidy(seal(two) + before))

    assert first.replace(one.encode(), two.encode()) == second
    assert first.count(one.encode()) >= 2


@given(LINES, LINES)
def test_a_multipart_has_two_parts_without_defects(text: str, html: str) -> None:
    raw = alternative(tidy(text), tidy(html))

    message = email.message_from_bytes(raw, policy=email.policy.strict)
    plain, page = message.iter_parts()
    assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == tidy(text).rstrip("\n")
    assert page.get_content().replace("\r\n", "\n").rstrip("\n") == tidy(html).rstrip("\n")
    boundary = str(message.get_boundary())
    assert raw.count(b"--" + boundary.encode()) == 3


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("short\nlines", b"7bit"),
        ("x" * 75, b"7bit"),
        ("x" * 76, b"quoted-printable"),
        ("naïve", b"quoted-printable"),
        (".", b"quoted-printable"),
        ("a\nFrom b", b"quoted-printable"),
        ("a=_b", b"quoted-printable"),  # it could look like a boundary
    ],
)
def test_a_part_goes_as_it_is_only_where_nothing_can_happen_to_it(text: str, encoding: bytes) -> None:
    assert b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" in alternative(tidy(text), "é\n")


def test_tidy_text_ends_lines_one_way_and_drops_controls() -> None:
    assert tidy("\n\na \t\r\nb\rc\0\x0b\x1b[1m\n\n") == "a\nb\nc[1m\n"
