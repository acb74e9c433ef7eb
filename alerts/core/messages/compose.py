"""One whole mail for one recipient, as bytes. To whom and when is decided elsewhere (``services``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from alerts.core.messages.contents import (
    Links,
    SiteIdentity,
    alert_contents,
    confirmation_contents,
    digest_contents,
    trial_contents,
    welcome_contents,
)
from alerts.core.messages.headers import date, field, list_id, mailbox, message_id, subject, wire_address
from alerts.core.messages.mime import alternative
from alerts.core.messages.render import Rendered, Templates
from alerts.core.model import Article, Channel


def compose_alert(
    *,
    templates: Templates,
    site: SiteIdentity,
    article: Article,
    channels: Sequence[Channel],
    recipient: str,
    links: Links,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose the mail about one article; ``channels`` are those of this recipient that it matches, at least one.

    Raise AddressError for a recipient that no mail can be addressed to.
    """
    contents = alert_contents(site, article, channels, links, language=language)
    rendered = templates.render("alert", contents, language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _to_a_list(site, channels[0], links) + _ending(site, channels[0].slug, "alert", rendered)


def compose_digest(
    *,
    templates: Templates,
    site: SiteIdentity,
    stories: Sequence[tuple[Article, Sequence[Channel]]],
    total: int,
    channels: Sequence[Channel],
    recipient: str,
    links: Links,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose the mail that lists many articles: ``stories`` of ``total``, each with its channels of this recipient.

    ``channels`` are all that the mail names, at least one. Raise AddressError as ``compose_alert`` does.
    """
    contents = digest_contents(site, stories, total, channels, links, language=language)
    rendered = templates.render("digest", contents, language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _to_a_list(site, channels[0], links) + _ending(site, channels[0].slug, "digest", rendered)


def compose_confirmation(
    *,
    templates: Templates,
    site: SiteIdentity,
    channels: Sequence[Channel],
    recipient: str,
    confirm_url: str,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose the mail that asks whether somebody really wants mails about ``channels`` (E13)."""
    contents = confirmation_contents(site, channels, confirm_url, language=language)
    rendered = templates.render("confirmation", contents, language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _ending(site, "site", "confirmation", rendered)


def compose_welcome(
    *,
    templates: Templates,
    site: SiteIdentity,
    channels: Sequence[Channel],
    latest: Sequence[Article],
    recipient: str,
    links: Links,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose the mail after a first confirmation. It can be left by one click, but is sent to nobody else: no bulk."""
    contents = welcome_contents(site, channels, latest, links, language=language)
    rendered = templates.render("welcome", contents, language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _one_click(links) + _ending(site, "site", "welcome", rendered)


def compose_notice(
    mail: str,
    contents: Mapping[str, object],
    *,
    templates: Templates,
    site: SiteIdentity,
    recipient: str,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose a mail about a person's own affairs, such as ``manage_link``: nobody is on a list for it."""
    rendered = templates.render(mail, contents, language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _ending(site, "site", mail, rendered)


def compose_test(
    *,
    templates: Templates,
    site: SiteIdentity,
    recipient: str,
    message_id: str,
    dated_at: datetime,
    language: str,
) -> bytes:
    """Compose the mail by which an operator sees that the relays work."""
    rendered = templates.render("test", trial_contents(site, language=language), language=language)
    heading = _heading(site, recipient, rendered, message_id=message_id, dated_at=dated_at)
    return heading + _ending(site, "site", "test", rendered)


def _heading(site: SiteIdentity, recipient: str, rendered: Rendered, *, message_id: str, dated_at: datetime) -> bytes:
    """Write what every mail begins with."""
    return b"".join(
        (
            field("From", *mailbox(site.name, site.sender)),
            field("To", wire_address(recipient)),
            field("Date", date(dated_at)),
            field("Message-ID", _checked(message_id)),
            subject(rendered.subject, fallback=site.name),
        )
    )


def _to_a_list(site: SiteIdentity, first: Channel, links: Links) -> bytes:
    """Write what a mail bears that goes to all who follow a channel; of several, the first one's (E10)."""
    return b"".join(
        (
            field("List-Id", *list_id(first.name, first.slug, site.host)),
            _one_click(links),
            field("Precedence", "bulk"),
        )
    )


def _one_click(links: Links) -> bytes:
    """Write what a mailbox's own button needs (RFC 8058)."""
    return b"".join(
        (
            field("List-Unsubscribe", f"<{links.unsubscribe}>"),
            field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )
    )


def _ending(site: SiteIdentity, campaign: str, kind: str, rendered: Rendered) -> bytes:
    """Write what every mail's header ends with, and its body. Feedback-ID names the campaign, never the mail (E15)."""
    label = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in campaign)
    return b"".join(
        (
            field("Feedback-ID", f"{label}:{kind}:{site.host}:newsalert"),
            field("Auto-Submitted", "auto-generated"),
            field("X-Auto-Response-Suppress", "All"),
            alternative(rendered.text, rendered.html),
        )
    )


_checked = message_id
