"""Preview: an article's mail as a reader of one channel would get it, made and neither stored nor sent."""

from __future__ import annotations

import email.policy
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes

from alerts.core.errors import NotFoundError
from alerts.core.messages import Links, SiteIdentity, Templates, compose_alert
from alerts.core.model import Article, Channel
from alerts.core.tokens import TOKEN_LENGTH
from alerts.storage import channels
from alerts.storage.engine import Database

_READER = "reader@example.com"
_NOBODY = "x" * TOKEN_LENGTH  # links in a preview lead to nobody's preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A mail as bytes, and as a mail program shows it."""

    raw: bytes = field(repr=False)
    subject: str
    text: str
    html: str


async def preview(
    db: Database, *, article: Article, slug: str, site: SiteIdentity, templates: Templates, now: datetime
) -> Preview:
    """Compose the mail about ``article`` for a reader of the channel ``slug``, whether or not the two match.

    Raises NotFoundError where there is no such channel.
    """
    async with db.reading() as tx:
        channel = await channels.channel_by_slug(tx, slug)
    if channel is None:
        raise NotFoundError(f"There is no channel {slug!r}; `alerts channels list` shows them.")
    return _read(_compose(article, channel, site=site, templates=templates, now=now))


def _compose(article: Article, channel: Channel, *, site: SiteIdentity, templates: Templates, now: datetime) -> bytes:
    return compose_alert(
        templates=templates,
        site=site,
        article=article,
        channels=[channel],
        recipient=_READER,
        links=Links.of(site, manage=_NOBODY, unsubscribe=_NOBODY),
        message_id=f"<preview.{article.id}@{site.sender.rpartition('@')[2]}>",
        dated_at=now,
        language=site.language,
    )


def _read(raw: bytes) -> Preview:
    """Read the mail as a mail program does."""
    message = message_from_bytes(raw, policy=email.policy.default)
    text, html = (str(part.get_content()).replace("\r\n", "\n") for part in message.iter_parts())
    return Preview(raw=raw, subject=str(message["subject"]), text=text, html=html)
