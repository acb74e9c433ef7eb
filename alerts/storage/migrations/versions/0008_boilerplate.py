"""Lines that a source prints under everything are learnt, and count nothing in what channels ask."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision = "0007"
keeps_older = True

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    op.create_table(
        "boilerplate",
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("line_hash", sa.Text, nullable=False),
        sa.Column("articles", sa.Integer, nullable=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "line_hash", name="pk_boilerplate"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_boilerplate_source_id", ondelete="CASCADE"),
    )
    op.create_index("ix_boilerplate_source_id_last_seen_at", "boilerplate", ["source_id", "last_seen_at"])
