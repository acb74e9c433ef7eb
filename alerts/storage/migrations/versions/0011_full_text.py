"""Which text of a feed's items is the article's, and what the page of one says."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0011"
down_revision = "0010"
keeps_older = True


def upgrade(op: Operations) -> None:
    """Make it."""
    op.add_column("sources", sa.Column("content", sa.Text, nullable=False, server_default=sa.text("'content'")))
    op.add_column("articles", sa.Column("page_text", sa.Text))
