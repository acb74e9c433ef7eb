"""Floods: what a source brings far beyond its habit is held until the operator decides, and may go out as one digest.

No digest was ever run, so the table of their runs is made anew.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision = "0004"
keeps_older = False

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    op.add_column("sources", sa.Column("flood", sa.Text, nullable=False, server_default=sa.text("'auto'")))
    op.add_column("sources", sa.Column("flood_from_at", TIME))
    op.create_table(
        "floods",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("most", sa.Integer, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("decided_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_floods"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_floods_source_id"),
    )
    _where(op, "uq_floods_undecided", "floods", "decided_at IS NULL", "source_id", unique=True)
    op.add_column("articles", sa.Column("flood_id", KEY))
    op.create_index("ix_articles_source_id_first_seen_at", "articles", ["source_id", "first_seen_at", "disposition"])
    _where(op, "ix_articles_flood_id", "articles", "flood_id IS NOT NULL", "flood_id", "id")
    _make_digest_runs(op)


def _make_digest_runs(op: Operations) -> None:
    op.drop_table("digest_runs")
    op.create_table(
        "digest_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("frequency", sa.Text, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("window_start_at", TIME, nullable=False),
        sa.Column("window_end_at", TIME, nullable=False),
        sa.Column("cursor", KEY, nullable=False, server_default=sa.text("0")),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("flood_id", KEY),
        sa.PrimaryKeyConstraint("id", name="pk_digest_runs"),
    )
    _where(
        op,
        "uq_digest_runs_frequency_time_zone_window_end_at",
        "digest_runs",
        "flood_id IS NULL",
        *("frequency", "time_zone", "window_end_at"),
        unique=True,
    )
    _where(op, "uq_digest_runs_flood_id", "digest_runs", "flood_id IS NOT NULL", "flood_id", unique=True)
    _where(op, "ix_digest_runs_unfinished", "digest_runs", "finished_at IS NULL", "id")


def _where(op: Operations, name: str, table: str, condition: str, *columns: str, unique: bool = False) -> None:
    held = sa.text(condition)
    op.create_index(name, table, list(columns), unique=unique, sqlite_where=held, postgresql_where=held)
