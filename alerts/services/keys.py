"""Give out keys for posting articles, and take them back. Each name is a source of its own, whatever its key is now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_bytes

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.api_keys import LONGEST_NAME, RANDOM_SIZE, hash_of, is_key_name, make_key
from alerts.core.errors import InputError, NotFoundError
from alerts.core.model import FirstPoll, Source, SourceKind, SourceState
from alerts.core.posted import MOST_ITEMS
from alerts.core.source_names import API_LOCATION, unique_name
from alerts.storage import api_keys, sources
from alerts.storage.api_keys import ApiKey
from alerts.storage.engine import Database

ORIGIN = "cli"
MAX_AGE = timedelta(hours=48)  # as feeds: an archive that is posted anew is stored, not mailed
ARTICLES_AN_HOUR = 1_000
_NEVER_POLLED = timedelta(days=1)  # the column wants an interval


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made; ``secret`` is shown once, and then nobody knows it but its holder."""

    key: ApiKey
    secret: str = field(repr=False)


async def add_key(db: Database, name: str, *, articles_an_hour: int = ARTICLES_AN_HOUR, now: datetime) -> NewKey:
    """Make a key; raise InputError for a name that is none or taken, or a budget smaller than one post.

    A name that had a key before goes on as the same source: its articles are known.
    """
    if not is_key_name(name):
        raise InputError(
            f"{name[:80]!r} is no name of a key: write at most {LONGEST_NAME} small letters, digits, - _ and ."
        )
    if articles_an_hour < MOST_ITEMS:
        raise InputError(f"a budget of {articles_an_hour} is smaller than one post, which may hold {MOST_ITEMS}")
    secret = make_key(token_bytes(RANDOM_SIZE))
    async with db.transaction() as tx:
        source_id = await _source_of(tx, name, now)
        key = await api_keys.insert_key(
            tx,
            name=name,
            key_hash=hash_of(secret) or "",
            source_id=source_id,
            articles_an_hour=articles_an_hour,
            now=now,
        )
        if key is None:
            raise InputError(f"there is a key {name} already; `alerts keys revoke {name}` first, or take another name")
    return NewKey(key=key, secret=secret)


async def list_keys(db: Database) -> list[ApiKey]:
    """Return every key, revoked ones too."""
    async with db.reading() as tx:
        return await api_keys.list_keys(tx)


async def revoke_key(db: Database, name: str, *, now: datetime) -> ApiKey:
    """Let a key open nothing from this moment on; raise NotFoundError when no living one is called so."""
    async with db.transaction() as tx:
        key = await api_keys.revoke_key(tx, name, now=now)
        if key is None:
            raise NotFoundError(f"there is no living key {name}; `alerts keys list` names them")
        await sources.rest_source(tx, key.source_id, state=SourceState.REMOVED, reason="its key was revoked")
    return key


async def _source_of(tx: AsyncConnection, name: str, now: datetime) -> int:
    """Return the source of what is posted under this name, made or brought back."""
    location = API_LOCATION + name
    existing = await sources.source_by_location(tx, location)
    if existing is not None:
        if existing.state is SourceState.REMOVED:
            await sources.revive_source(tx, existing.id, now=now)
        return existing.id
    await sources.free_name(tx, name)
    wanted = Source(
        id=0,
        name=unique_name(name, set(await sources.taken_names(tx))),
        kind=SourceKind.API,
        location=location,
        every=_NEVER_POLLED,
        first_poll=FirstPoll.ALERT,
        max_age=MAX_AGE,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=now,
        polled_at=None,
    )
    added = await sources.insert_source(tx, source=wanted, origin=ORIGIN, now=now)
    if added is None:
        raise InputError(f"the source {name} was made at the same time; try once more")
    return added.id
