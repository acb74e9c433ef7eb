"""Splicing: the plain path's bytes, at a thousandth of its cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mails import ALICE, AT, MESSAGE_ID, SITE, TESLA, XIAOMI, alert, article, shipped

from alerts.core.errors import AddressError
from alerts.core.messages import CompiledAlert, Links, SpliceError, Templates, compile_alert
from alerts.core.model import Article

TOKEN = st.from_regex(r"\A[A-Za-z0-9_-]{44}\Z")
ANYTHING = st.text(st.characters(codec=None), max_size=200)
RECIPIENT = st.one_of(
    st.from_regex(r"\A[a-z0-9!#$%&'*+/^_`{|}~-]{1,64}@[a-z]{1,60}\.example\Z"),
    st.sampled_from(["jürgen@example.com", "alice@bücher.example", "o'brien@example.com", "a@localhost"]),
)
TIME = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive


def compiled(about: Article | None = None, **changes: Any) -> CompiledAlert:
    arguments: dict[str, Any] = {
        "templates": shipped(),
        "site": SITE,
        "article": about or article(),
        "channels": [XIAOMI],
        "language": "en",
    }
    return compile_alert(**(arguments | changes))


def splice(mail: CompiledAlert, **changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "recipient": ALICE,
        "message_id": MESSAGE_ID,
        "unsubscribe_token": "U" * 44,
        "manage_token": "M" * 44,
        "dated_at": AT,
    }
    return mail.splice(**(arguments | changes))


MADE_UP = st.fixed_dictionaries(
    {
        "recipient": RECIPIENT,
        "message_id": st.integers(1, 2**63).map("<{}.f00d@news.example>".format),
        "unsubscribe_token": TOKEN,
        "manage_token": TOKEN,
        "dated_at": TIME,
    }
)


def made_up(unsubscribe: str, manage: str) -> dict[str, Any]:
    return {
        "recipient": "=a@b.example",
        "message_id": MESSAGE_ID,
        "unsubscribe_token": unsubscribe,
        "manage_token": manage,
        "dated_at": AT,
    }


@settings(deadline=None, max_examples=60)
@given(ANYTHING, ANYTHING, ANYTHING, MADE_UP)
@example("=?utf-8?q?a?=", "x", "y", made_up("From" * 11, "_" * 44))
@example("U" * 44, "M" * 44, "=_", made_up("U" * 44, "U" * 44))
def test_a_spliced_mail_equals_a_composed_one(title: str, name: str, body: str, to: dict[str, Any]) -> None:
    about = article(title=title, body=body)
    site = replace(SITE, name=name)
    channels = [replace(XIAOMI, name=name), TESLA]

    spliced = compiled(about, site=site, channels=channels).splice(**to)

    links = Links.of(site, manage=to.pop("manage_token"), unsubscribe=to.pop("unsubscribe_token"))
    assert spliced == alert(about, site=site, channels=channels, links=links, **to)


def test_one_compiled_alert_serves_many_and_mixes_up_none() -> None:
    mail = compiled()

    alice = splice(mail)
    bob = splice(mail, recipient="bob@example.net", unsubscribe_token="b" * 44, manage_token="c" * 44)

    assert b"bob@" not in alice
    assert b"alice@" not in bob
    assert b"U" * 44 not in bob
    assert splice(mail) == alice == alert()


@pytest.mark.parametrize("link", ["unsubscribe_url", "manage_url"])
@pytest.mark.parametrize("changed", ["|upper", "|truncate(60)", "|urlencode", "|replace('a', 'b')", "|reverse"])
def test_a_template_that_changes_a_link_is_not_spliced(changed: str, link: str) -> None:
    text = shipped()["alert/text.txt"].replace("{{ %s }}" % link, "{{ %s%s }}" % (link, changed))  # noqa: UP031 - braces

    with pytest.raises(SpliceError, match="article 7"):
        compiled(templates=Templates({**shipped(), "alert/text.txt": text}))


def test_a_template_may_show_a_link_as_often_as_it_likes() -> None:
    text = shipped()["alert/text.txt"].replace("{{ manage_url }}", "{{ manage_url }} {{ manage_url }}")
    templates = Templates({**shipped(), "alert/text.txt": text})

    assert splice(compiled(templates=templates)) == alert(templates=templates)


@pytest.mark.parametrize("token", ["", "U" * 43, "U" * 45, "U" * 43 + "=", "U" * 43 + "\n", "é" * 44])
def test_what_is_no_token_is_not_spliced_in(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        splice(compiled(), unsubscribe_token=token)
    with pytest.raises(ValueError, match="token"):
        splice(compiled(), manage_token=token)


def test_a_recipient_that_is_none_fails_alone() -> None:
    mail = compiled()

    with pytest.raises(AddressError):
        splice(mail, recipient="alice@example.com\r\nBcc: mallory@example.com")
    with pytest.raises(ValueError, match="Message-ID"):
        splice(mail, message_id="<1@x>\r\nBcc: y")
    assert splice(mail) == alert()


def test_a_site_that_leads_to_its_own_page_is_spliced_likewise() -> None:
    site = replace(SITE, links_to_site=True)
    spliced = splice(compiled(site=site))
    assert spliced == alert(site=site, links=Links.of(site, manage="M" * 44, unsubscribe="U" * 44))
    assert b"https://news.example/a/7" in spliced.replace(b"=\r\n", b"")
