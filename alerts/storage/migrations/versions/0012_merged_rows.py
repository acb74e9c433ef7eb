"""Merged rows: what a row followed that went into another, so that the links in its mails go on ending that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0012"
down_revision = "0011"
keeps_older = True

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade(op: Operations) -> None:
    """Make it."""
    name = "merged_subscriptions"
    op.create_table(
        name,
        sa.Column("former_id", KEY, nullable=False, autoincrement=False),
        sa.Column("channel_id", KEY, nullable=False),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("former_id", "channel_id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name=f"fk_{name}_channel_id"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=f"fk_{name}_subscriber_id", ondelete="CASCADE"
        ),
    )
    op.create_index(f"ix_{name}_subscriber_id", name, ["subscriber_id"])
