"""What is brought to us: keys with which a publisher's system posts articles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0006"
down_revision = "0005"
keeps_older = False  # a node of the version before knows no source of this kind

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    op.create_table(
        "api_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("key_hash", sa.Text, nullable=False),
        sa.Column("articles_an_hour", sa.Integer, nullable=False),
        sa.Column("hour_began_at", TIME),
        sa.Column("articles_in_hour", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_api_keys_source_id", ondelete="CASCADE"),
    )
    living = sa.text("revoked_at IS NULL")
    op.create_index("uq_api_keys_name", "api_keys", ["name"], unique=True, sqlite_where=living, postgresql_where=living)
    op.create_table(
        "hub_subscriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("hub", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("asked_at", TIME),
        sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("lease_until", TIME),
        sa.Column("pushed_at", TIME),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hub_subscriptions"),
        sa.UniqueConstraint("source_id", name="uq_hub_subscriptions_source_id"),
        sa.UniqueConstraint("token", name="uq_hub_subscriptions_token"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name="fk_hub_subscriptions_source_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_hub_subscriptions_next_at", "hub_subscriptions", ["next_at"])
