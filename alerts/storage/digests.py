"""What the letter of a digest shows: the newest of its articles that one person's channels answer, and how many more.

People who subscribe to the same channels get the same list, so it is read once for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Join, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.model import Article, Delivery, Disposition
from alerts.storage.articles import select_articles, to_article
from alerts.storage.schema import articles, digest_runs, matches

SHOWN = 20  # articles that one digest lists

#: The channels of one person that a run reached; with a time: only what was matched since then is for them.
_Share = tuple[tuple[int, datetime | None], ...]


class DigestOf(NamedTuple):
    """What one letter shows, and the channels that it names, those with the most articles first."""

    stories: tuple[tuple[Article, tuple[int, ...]], ...]  # an article, and the channels that it answers
    total: int
    channel_ids: tuple[int, ...]


class Reached(NamedTuple):
    """A channel that a run reached: how many articles, and when the first and the last was matched."""

    articles: int
    first_at: datetime
    last_at: datetime


async def channels_of_runs(tx: AsyncConnection, run_ids: Collection[int]) -> dict[int, dict[int, Reached]]:
    """Find which channels the articles of each run answer."""
    found: dict[int, dict[int, Reached]] = {}
    for run_id in sorted(run_ids):
        at = matches.c.matched_at
        statement = (
            select(matches.c.channel_id, func.count(), func.min(at), func.max(at))
            .select_from(_joined())
            .where(*_of_run(run_id))
            .group_by(matches.c.channel_id)
        )
        found[run_id] = {key: Reached(*rest) for key, *rest in (await tx.execute(statement)).all()}
    return found


async def load_digests(
    tx: AsyncConnection,
    claimed: Sequence[Delivery],
    reached: Mapping[int, Mapping[int, Reached]],
    active: Mapping[int, Mapping[int, datetime]],
) -> dict[int, DigestOf]:
    """Load what each digest shows; ``active`` says to which channels each person subscribes, and since when."""
    known: dict[tuple[int, _Share], DigestOf] = {}
    found: dict[int, DigestOf] = {}
    for one in claimed:
        run_id = one.digest_run_id or 0
        share = _share(reached.get(run_id, {}), active.get(one.subscriber_id, {}))
        if (run_id, share) not in known:
            known[run_id, share] = await _load(tx, run_id, share)
        found[one.id] = known[run_id, share]
    return found


def _share(reached: Mapping[int, Reached], since: Mapping[int, datetime]) -> _Share:
    """Say what of a run is for a person; nearly always whole channels, so that many people share it."""
    mine = [key for key in reached if key in since and since[key] <= reached[key].last_at]
    mine.sort(key=lambda key: (-reached[key].articles, key))
    return tuple((key, None if since[key] <= reached[key].first_at else since[key]) for key in mine)


async def _load(tx: AsyncConnection, run_id: int, share: _Share) -> DigestOf:
    if not share:
        return DigestOf((), 0, ())
    mine = _is_for(share)
    counted = select(func.count(matches.c.article_id.distinct())).select_from(_joined()).where(*_of_run(run_id), mine)
    newest = (
        select(articles.c.id)
        .select_from(_joined())
        .where(*_of_run(run_id), mine)
        .distinct()
        .add_columns(func.coalesce(articles.c.published_at, articles.c.first_seen_at).label("at"))
        .order_by(func.coalesce(articles.c.published_at, articles.c.first_seen_at).desc(), articles.c.id.desc())
        .limit(SHOWN)
    )
    ids = [row.id for row in (await tx.execute(newest)).all()]
    answered = select(matches.c.article_id, matches.c.channel_id).where(matches.c.article_id.in_(ids), mine)
    by_article: dict[int, set[int]] = {}
    for article_id, channel_id in (await tx.execute(answered)).all():
        by_article.setdefault(article_id, set()).add(channel_id)
    rows = (await tx.execute(select_articles().where(articles.c.id.in_(ids)))).all()
    stories = {article.id: article for article in map(to_article, rows)}
    return DigestOf(
        stories=tuple((stories[key], tuple(it for it, _ in share if it in by_article[key])) for key in ids),
        total=await tx.scalar(counted) or 0,
        channel_ids=tuple(key for key, _ in share),
    )


def _is_for(share: _Share) -> ColumnElement[bool]:
    """Ask for the matches of a share. Who came while the flood did came in few goes, so the times are few."""
    together: dict[datetime | None, list[int]] = {}
    for channel_id, since in share:
        together.setdefault(since, []).append(channel_id)
    return or_(
        *(
            and_(matches.c.channel_id.in_(ids), matches.c.matched_at >= since)
            if since is not None
            else matches.c.channel_id.in_(ids)
            for since, ids in together.items()
        )
    )


def _joined() -> Join:
    return matches.join(articles, articles.c.id == matches.c.article_id)


def _of_run(run_id: int) -> tuple[ColumnElement[bool], ...]:
    flood = select(digest_runs.c.flood_id).where(digest_runs.c.id == run_id).scalar_subquery()
    return articles.c.flood_id == flood, articles.c.disposition == Disposition.DIGEST.value
