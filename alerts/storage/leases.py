"""Leases: what one worker does for all of them. Whoever takes one over raises its epoch, and the last holder's is gone.

No time stands in a row: clocks of machines differ. Who wants to take over watches whether ``beats`` still grows.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage.engine import insert
from alerts.storage.schema import leases

SCHEDULING = "scheduling"  # who says what is due


class Lease(NamedTuple):
    """A lease as its row is."""

    holder: str | None
    epoch: int
    beats: int


async def read_lease(tx: AsyncConnection, name: str) -> Lease:
    """Read a lease; one that nobody ever held has epoch 0."""
    statement = select(leases.c.holder, leases.c.epoch, leases.c.beats).where(leases.c.name == name)
    row = (await tx.execute(statement)).one_or_none()
    return Lease(row.holder, row.epoch, row.beats) if row else Lease(None, 0, 0)


async def take_lease(tx: AsyncConnection, name: str, *, holder: str, seen: Lease) -> int | None:
    """Take a lease over as it was seen; return the new epoch, or None when somebody was quicker, or it still beats."""
    first = insert(tx, leases).values(name=name, holder=None, epoch=0, beats=0)
    await tx.execute(first.on_conflict_do_nothing(index_elements=["name"]))
    unchanged = (leases.c.name == name, leases.c.epoch == seen.epoch, leases.c.beats == seen.beats)
    taken = update(leases).where(*unchanged).values(holder=holder, epoch=seen.epoch + 1, beats=0)
    return seen.epoch + 1 if (await tx.execute(taken)).rowcount == 1 else None


async def renew_lease(tx: AsyncConnection, name: str, *, epoch: int, holder: str) -> bool:
    """Show that the holder lives, under its name of now; False when the epoch is gone."""
    statement = update(leases).where(*_held(name, epoch)).values(beats=leases.c.beats + 1, holder=holder)
    return (await tx.execute(statement)).rowcount == 1


async def confirm_lease(tx: AsyncConnection, name: str, *, epoch: int) -> bool:
    """Say whether the epoch is still that; if so, nobody can take the lease over before this transaction has ended."""
    statement = select(leases.c.epoch).where(*_held(name, epoch)).with_for_update(read=True)
    return (await tx.execute(statement)).one_or_none() is not None


async def release_lease(tx: AsyncConnection, name: str, *, epoch: int) -> None:
    """Give a lease up in good order: it is anybody's at once."""
    await tx.execute(update(leases).where(*_held(name, epoch)).values(holder=None))


async def release_leases_of(tx: AsyncConnection, holder: str) -> None:
    """Free the leases of a worker that is surely gone."""
    await tx.execute(update(leases).where(leases.c.holder == holder).values(holder=None))


async def hurry(tx: AsyncConnection) -> None:
    """Let PostgreSQL end this transaction if its process freezes in it: whoever stands by waits for the lease's row."""
    if tx.dialect.name == "postgresql":
        await tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = '5s'"))


def _held(name: str, epoch: int) -> tuple[ColumnElement[bool], ...]:
    return leases.c.name == name, leases.c.epoch == epoch, leases.c.holder.is_not(None)
