"""The tables of mails: what is to be turned into deliveries, the deliveries, and what is left of them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from alerts.storage.schema.columns import Key, Utc, index_where, metadata

fan_outs = Table(  # an article that owes mails; the cursor moves up the subscribers' keys
    "fan_outs",
    metadata,
    Column("article_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("cursor", Key, nullable=False, server_default=text("0")),  # subscriber ids up to here are done
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
    index_where("ix_fan_outs_unfinished", "finished_at IS NULL", "article_id"),
)

digest_runs = Table(
    "digest_runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("frequency", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("window_start_at", Utc, nullable=False),
    Column("window_end_at", Utc, nullable=False),
    Column("cursor", Key, nullable=False, server_default=text("0")),
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
    Column("flood_id", Key),  # the digest of a flood, which no window is
    index_where(
        "uq_digest_runs_frequency_time_zone_window_end_at",
        "flood_id IS NULL",
        "frequency",
        "time_zone",
        "window_end_at",
        unique=True,
    ),
    index_where("uq_digest_runs_flood_id", "flood_id IS NOT NULL", "flood_id", unique=True),
    index_where("ix_digest_runs_unfinished", "finished_at IS NULL", "id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Key, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("subscriber_id", Key, nullable=False),  # no foreign key: a forgotten subscriber's outcomes stay, nameless
    Column("article_id", Key),
    Column("confirmation_id", Key),
    Column("digest_run_id", Key),
    Column("state", Text, nullable=False),
    Column("due_at", Utc, nullable=False),
    Column("dated_at", Utc, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("faults", Integer, nullable=False, server_default=text("0")),
    Column("in_doubt", Boolean, nullable=False, server_default=false()),
    Column("claim", Text),
    Column("worker_id", Text),
    Column("lease_until", Utc),
    Column("reply", Text),
    Column("relay", Text),
    Column("finished_at", Utc),
    UniqueConstraint("subscriber_id", "article_id"),
    # The rest holds what waits, or went wrong, and nothing else: what is sent pays for no more.
    index_where(
        "uq_deliveries_confirmation_id_kind",
        "confirmation_id IS NOT NULL",
        "confirmation_id",
        "kind",
        unique=True,
    ),
    index_where(
        "uq_deliveries_digest_run_id_subscriber_id",
        "digest_run_id IS NOT NULL",
        "digest_run_id",
        "subscriber_id",
        unique=True,
    ),
    Index("ix_deliveries_article_id", "article_id"),
    index_where("ix_deliveries_due", "state = 'pending'", "lane", "due_at", "id"),
    index_where("ix_deliveries_claimed", "state = 'claimed'", "claim"),
    # OR, for IN makes SQLite build a table at every statement that writes.
    index_where("ix_deliveries_unsent", "state = 'failed' OR state = 'expired' OR state = 'cancelled'", "state", "id"),
    index_where("ix_deliveries_finished_at", "finished_at IS NOT NULL", "finished_at"),
    sqlite_autoincrement=True,
)

delivery_counts = Table(  # what finished deliveries come to once their rows are gone: numbers, no people
    "delivery_counts",
    metadata,
    Column("kind", Text, primary_key=True),
    # No foreign key, and 0 for a mail that is about no article: null is no part of a key.
    Column("article_id", Key, primary_key=True, autoincrement=False),
    Column("state", Text, primary_key=True),
    Column("day", Date, primary_key=True),  # in UTC, of ``finished_at``
    Column("count", BigInteger, nullable=False),
)
