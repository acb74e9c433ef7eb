"""Which channels a mail could name, long after it went out: looked up by the number in its unsubscribe link (U9)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.leaving import MailClaims
from alerts.storage.schema import articles, confirmations, digest_runs, matches

Answered = dict[int, datetime]


async def channels_answered(tx: AsyncConnection, mail: MailClaims) -> Answered:
    """Find the channels, each with the last moment by which a person had to follow it for the mail to name it.

    None are found for a mail whose article, run or request is gone.
    """
    if mail.confirmation_id:
        return await _confirmed(tx, mail.confirmation_id)
    return await (_digested(tx, mail.digest_run_id) if mail.digest_run_id else _alerted(tx, mail.article_id))


async def _alerted(tx: AsyncConnection, article_id: int) -> Answered:
    statement = select(matches.c.channel_id, matches.c.matched_at).where(matches.c.article_id == article_id)
    return dict((await tx.execute(statement)).all())


async def _digested(tx: AsyncConnection, run_id: int) -> Answered:
    statement = (
        select(matches.c.channel_id, func.max(matches.c.matched_at))
        .join(articles, articles.c.id == matches.c.article_id)
        .join(digest_runs, digest_runs.c.flood_id == articles.c.flood_id)
        .where(digest_runs.c.id == run_id)
        .group_by(matches.c.channel_id)
    )
    return dict((await tx.execute(statement)).all())


async def _confirmed(tx: AsyncConnection, confirmation_id: int) -> Answered:
    statement = select(confirmations.c.channel_ids, confirmations.c.confirmed_at)
    row = (await tx.execute(statement.where(confirmations.c.id == confirmation_id))).one_or_none()
    return dict.fromkeys(row.channel_ids, row.confirmed_at) if row is not None and row.confirmed_at else {}
