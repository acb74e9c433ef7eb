"""A caught mail is shown as far as it can be read, whatever its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.mail.opened import heading, open_mail

ALTERNATIVE = (
    b"From: =?utf-8?q?EV_D=C3=A4ily?= <a@site.example>\r\nTo: bob@reader.example\r\n"
    b"Subject: =?utf-8?b?5bCP57Gz?= YU7\r\n seen\r\nDate: Mon, 05 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    b"\r\nGr=C3=BC=\r\n=C3=9Fe\r\n"
    b"--b\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>Gr\xfc\xdfe</p>\r\n--b--\r\n"
)


def test_headers_and_both_parts_are_decoded() -> None:
    opened = open_mail(ALTERNATIVE)
    assert opened.heading.subject == "小米 YU7 seen"
    assert opened.heading.sender == "EV Däily <a@site.example>"
    assert opened.heading.date is not None
    assert (opened.text or "").strip() == "Grüße"
    assert (opened.html or "").strip() == "<p>Grüße</p>"


def test_the_beginning_of_a_mail_is_enough_for_a_list() -> None:
    assert heading(ALTERNATIVE[:200]).subject == "小米 YU7 seen"


@pytest.mark.parametrize(
    "subject", ["Subject: \u202etxt.exe\x07\r\n\r\nx", "Subject: =?utf-8?q?a=0D=0ABcc:_e=E2=80=AE?=\r\n\r\nx"]
)
def test_what_would_disturb_a_page_is_taken_out_of_headers(subject: str) -> None:
    opened = open_mail(subject.encode())
    assert not set("\u202e\x07\r\n") & set(opened.heading.subject)


def test_a_mail_of_countless_nested_parts_is_survived() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3_000))
    assert open_mail(nested + b"Content-Type: text/plain\r\n\r\nx").text is None


def test_an_unknown_charset_and_an_attachment_are_survived() -> None:
    assert open_mail(b"Content-Type: text/plain; charset=klingon\r\n\r\nx").text == "x"
    assert open_mail(b"Content-Type: text/html\r\nContent-Disposition: attachment\r\n\r\nx").html is None


@given(st.binary(max_size=2_000))
def test_any_bytes_give_an_answer_that_can_be_shown(raw: bytes) -> None:
    opened = open_mail(raw)
    for text in (
        opened.text,
        opened.html,
        opened.heading.subject,
        *(value for pair in opened.headers for value in pair),
    ):
        (text or "").encode("utf-8")
    heading(raw)


@given(
    st.lists(
        st.sampled_from(
            [
                b"Content-Type: ",
                b"multipart/mixed; boundary=",
                b"x",
                b"\r\n",
                b"--",
                b'"',
                b"charset=",
                b"=?utf-8?q?=ff?=",
                b"message/rfc822",
                b"\xff",
                b"Content-Transfer-Encoding: base64",
                b"Date: ",
                b"Subject: ",
                b"; filename*0*=x''%ff",
                b"(",
                b"\x00",
                b" ",
            ]
        ),
        max_size=60,
    )
)
def test_anything_that_looks_like_a_mail_gives_one_too(pieces: list[bytes]) -> None:
    opened = open_mail(b"".join(pieces))
    for text in (opened.text, opened.html, *(value for pair in opened.headers for value in pair)):
        (text or "").encode("utf-8")
