"""The checker finds what it is there to find: each rule, broken on purpose."""

from __future__ import annotations

import pytest
from mail_rules import violations
from mails import ALICE, AT, alert, article


def broken(raw: bytes) -> set[str]:
    found = violations(
        raw,
        rcpt=ALICE,
        site_host="news.example",
        sender="alerts@news.example",
        site_name="EV Daily",
        title=article().item.title,
        link=article().item.url,
        postal_address=["12 Harbour Street, Dublin 2, Ireland"],
        others=["mallory@example.com"],
        dated_at=AT,
    )
    return {line.partition(":")[0] for line in found}


def test_a_good_mail_breaks_nothing() -> None:
    assert broken(alert()) == set()


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("E1", b"\r\nDate: ", b"\nDate: "),
        ("E1", b"\r\n--=_", b"\r\n" + b"x" * 999 + b"\r\n--=_"),
        ("E1", b"Subject: ", b"Subject: " + b"word " * 20),
        ("E2", b"Subject: ", "Subject: é".encode()),
        ("E3", b"\r\nDate: ", b"\r\nBcc: <x>\r\nDate: "),
        ("E3", b"\r\nAuto-Submitted: auto-generated", b""),
        ("E3", b"\r\nPrecedence: bulk", b"\r\nPrecedence: bulk\r\nPrecedence: bulk"),
        ("E4", b"From: EV Daily ", b"From: Xiaomi News Alert "),
        ("E4", b"<alerts@news.example>", b"<alerts@evil.example>"),
        ("E5", b"To: alice@example.com", b"To: alice@example.com, mallory@example.com"),
        ("E5", b"Read the full story:", b"mallory@example.com"),
        ("E6", b"12:00:07 +0000", b"12:00:07 GMT"),
        ("E6", b"12:00:07", b"12:00:08"),
        ("E7", b"@news.example>\r\nSubject", b"@other.example>\r\nSubject"),
        ("E8", b"Subject: Xiaomi", b"Subject: Re: Xiaomi"),
        ("E8", b"Subject: Xiaomi", b"Subject: =?utf-8?q?=E2=80=AE?= Xiaomi"),
        ("E9", b"Subject: Xiaomi", b"Subject: =?utf-8?q?=E2=80?= =?utf-8?q?=AE?= Xiaomi"),
        ("E9", b"Subject: Xiaomi", b"Subject: =?utf-8?q?T=0D=0AX:?= Xiaomi"),
        ("E9", b"List-Id: Xiaomi", b"List-Id: =?utf-8?q?Xiaomi?="),
        ("E10", b"<xiaomi.news.example>", b"<xiaomi>"),
        ("E11", b"List-Unsubscribe: <https", b"List-Unsubscribe: <mailto:x@news.example>, <https"),
        ("E11", b"List-Unsubscribe: <https://news.example/u/", b"List-Unsubscribe: <https://news.example/u/\r\n "),
        ("E12", b"One-Click", b"OneClick"),
        ("E14", b"Precedence: bulk", b"Precedence: list"),
        ("E15", b":newsalert", b":newsalert:17"),
        ("E18", b"multipart/alternative", b"multipart/mixed"),
        ("E18", b"Content-Type: text/html", b"Content-Type: text/plain"),
        ("E19", b"because you subscribe to", b"because you like"),
        ("E19", b"Xiaomi opens its third", b"Xiaomi closes its third"),
        ("E20", b"</body>", b"<p>" + b"xx\r\n" * 30_100 + b"</p></body>"),
        ("E21", b"</body>", b"<script></script></body>"),
        ("E21", b"</body>", b'<img src=3D"https://t.example/"></body>'),
        ("E21", b"</body>", b'<a href=3D"https://t.example/">x</a></body>'),
        ("E21", b"</body>", b'<a href=3D"javascript:x">x</a></body>'),
        ("E21", b"</body>", b"<table><tbody><tr><td></td></tr></tbody></table></body>"),
        ("E21", b"</body>", b"</p></body>"),
        ("E22", b"12 Harbour Street", b"13 Harbour Street"),
        ("E22", b">Unsubscribe<", b">Goodbye<"),
        ("E23", b"\r\nRead the full", b"\r\n.\r\nRead the full"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_found(rule: str, old: bytes, new: bytes) -> None:
    raw = alert()
    assert old in raw

    assert rule in broken(raw.replace(old, new))


def test_a_welcome_may_be_no_bulk_mail_and_needs_its_one_click() -> None:
    raw = alert().replace(b"List-Unsubscribe-Post", b"X-Post")
    found = {line.partition(":")[0] for line in violations(raw, rcpt=ALICE, site_host="news.example", kind="welcome")}

    assert {"E3", "E12", "E14", "E19"} <= found


def test_a_confirmation_may_have_no_list_headers() -> None:
    found = violations(alert(), rcpt=ALICE, site_host="news.example", kind="confirmation")

    assert "E13: a list header" in found
