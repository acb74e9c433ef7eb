"""A mail that is sent pays for fewer indexes: those of what waits hold what waits and nothing else.

On SQLite two constraints become partial indexes, which takes a new table. Its sequence of keys goes on where the old
one was: a key stands in Message-IDs and is never given out again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"

_PARTIAL = (
    ("ix_deliveries_due", ["lane", "due_at", "id"], "state = 'pending'", False),
    ("ix_deliveries_claimed", ["claim"], "state = 'claimed'", False),
    ("ix_deliveries_unsent", ["state", "id"], "state = 'failed' OR state = 'expired' OR state = 'cancelled'", False),
    ("ix_deliveries_finished_at", ["finished_at"], "finished_at IS NOT NULL", False),
    ("uq_deliveries_confirmation_id", ["confirmation_id"], "confirmation_id IS NOT NULL", True),
    (
        "uq_deliveries_digest_run_id_subscriber_id",
        ["digest_run_id", "subscriber_id"],
        "digest_run_id IS NOT NULL",
        True,
    ),
)
_SQLITE = """
CREATE TABLE deliveries_0002 (
  id INTEGER NOT NULL CONSTRAINT pk_deliveries PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  lane INTEGER NOT NULL,
  subscriber_id INTEGER NOT NULL,
  article_id INTEGER,
  confirmation_id INTEGER,
  digest_run_id INTEGER,
  state TEXT NOT NULL,
  due_at DATETIME NOT NULL,
  dated_at DATETIME NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  faults INTEGER DEFAULT 0 NOT NULL,
  in_doubt BOOLEAN DEFAULT 0 NOT NULL,
  claim TEXT,
  worker_id TEXT,
  lease_until DATETIME,
  reply TEXT,
  relay TEXT,
  finished_at DATETIME,
  CONSTRAINT uq_deliveries_subscriber_id_article_id UNIQUE (subscriber_id, article_id)
)
"""


def upgrade(op: Operations) -> None:
    """Replace the indexes."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild(op)
    else:
        for name in ("ix_deliveries_article_id_state", "ix_deliveries_claimed", "ix_deliveries_state_lane_due_at_id"):
            op.drop_index(name, "deliveries")
        for name in ("uq_deliveries_confirmation_id", "uq_deliveries_digest_run_id_subscriber_id"):
            op.drop_constraint(name, "deliveries")
    op.create_index("ix_deliveries_article_id", "deliveries", ["article_id"])
    for name, columns, where, unique in _PARTIAL:
        op.create_index(
            name, "deliveries", columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def _rebuild(op: Operations) -> None:
    """Copy the rows into a table without the old indexes and constraints."""
    op.execute(_SQLITE)
    op.execute("INSERT INTO deliveries_0002 SELECT * FROM deliveries")
    op.execute(
        "INSERT INTO sqlite_sequence (name, seq) SELECT 'deliveries_0002', 0"
        " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'deliveries_0002')"
    )
    op.execute(
        "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT old.seq FROM sqlite_sequence AS old"
        " WHERE old.name = 'deliveries'), 0)) WHERE name = 'deliveries_0002'"
    )
    op.execute("DROP TABLE deliveries")
    op.execute("ALTER TABLE deliveries_0002 RENAME TO deliveries")
