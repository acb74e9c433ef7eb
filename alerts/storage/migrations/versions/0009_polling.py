"""What polls teach: a feed's pace, where it moved, whether its operator was told that it fails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0009"
down_revision = "0008"
keeps_older = True

TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    for column in (
        sa.Column("every_at_most_s", sa.Integer),
        sa.Column("gap_s", sa.Integer),
        sa.Column("news_at", TIME),
        sa.Column("moved_to", sa.Text),
        sa.Column("warned_at", TIME),
    ):
        op.add_column("sources", column)
    held = sa.text("lease_until IS NOT NULL")
    op.create_index("ix_sources_lease_until", "sources", ["lease_until"], sqlite_where=held, postgresql_where=held)
