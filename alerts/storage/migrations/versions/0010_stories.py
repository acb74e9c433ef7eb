"""Same story, several sources: which articles repeat which, and the marks by which copies are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0010"
down_revision = "0009"
keeps_older = False

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    op.add_column("articles", sa.Column("same_story_as", KEY))
    told = sa.text("same_story_as IS NOT NULL")
    op.create_index(
        "ix_articles_same_story_as", "articles", ["same_story_as"], sqlite_where=told, postgresql_where=told
    )
    op.create_table(
        "repeats",
        sa.Column("article_id", KEY, nullable=False),
        sa.Column("channel_id", KEY, nullable=False),
        sa.Column("first_id", KEY, nullable=False),
        sa.PrimaryKeyConstraint("article_id", "channel_id", name="pk_repeats"),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_repeats_article_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_repeats_channel_id"),
        sa.ForeignKeyConstraint(["first_id"], ["articles.id"], name="fk_repeats_first_id", ondelete="CASCADE"),
    )
    op.create_index("ix_repeats_first_id_channel_id", "repeats", ["first_id", "channel_id"])
    op.create_table(
        "story_marks",
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("article_id", KEY, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("mark", "article_id", name="pk_story_marks"),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_story_marks_article_id", ondelete="CASCADE"),
    )
    op.create_index("ix_story_marks_seen_at", "story_marks", ["seen_at"])
