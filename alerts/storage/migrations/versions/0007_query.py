"""What matching reads of the channels: only those that changed, and the aliases that their queries use."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision = "0006"
keeps_older = False  # an older node would change channels without counting it


def upgrade(op: Operations) -> None:
    """Make it."""
    op.add_column("channels", sa.Column("revision", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.create_index("ix_channels_revision_id", "channels", ["revision", "id"])
    op.create_table(
        "aliases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("others", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_aliases"),
    )
    op.create_table(
        "revisions",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revisions"),
    )
