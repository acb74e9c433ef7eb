"""Rows of ``spent_proofs``: what counted once for a form and does not count again (C4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.stamps import Proof
from alerts.storage.engine import insert
from alerts.storage.schema import spent_proofs


async def spend(tx: AsyncConnection, proof: Proof) -> bool:
    """Mark a proof as spent; False when it was before. Of two at once one waits, and then knows."""
    row = insert(tx, spent_proofs).values(proof_hash=proof.hash, expires_at=proof.expires_at)
    return await tx.scalar(row.on_conflict_do_nothing().returning(spent_proofs.c.proof_hash)) is not None


async def purge(tx: AsyncConnection, *, now: datetime, limit: int) -> int:
    """Remove those that would be too old by now anyway; return how many."""
    old = select(spent_proofs.c.proof_hash).where(spent_proofs.c.expires_at < now).limit(limit)
    return (await tx.execute(delete(spent_proofs).where(spent_proofs.c.proof_hash.in_(old)))).rowcount
