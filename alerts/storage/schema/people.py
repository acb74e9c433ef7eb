"""The tables of people: who they are, what they want, and how much the forms let them ask."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint

from alerts.storage.schema.columns import Key, Utc, index_where, metadata

subscribers = Table(
    "subscribers",
    metadata,
    # A key is never given out again: it stands in links and Message-IDs that outlive the row.
    Column("id", Key, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False, unique=True),  # folded: one person, one row
    Column("domain", Text, nullable=False),  # A-label, lower case
    Column("state", Text, nullable=False),
    Column("name", Text),
    Column("language", Text),
    Column("time_zone", Text),
    Column("created_at", Utc, nullable=False),
    Column("confirmed_at", Utc),
    Column("paused_until_at", Utc),  # no alerts before then, by the person's own wish
    index_where("ix_subscribers_paused", "paused_until_at IS NOT NULL", "paused_until_at"),
    sqlite_autoincrement=True,
)

suppressions = Table(  # by keyed hash, so that it outlives a forgotten subscriber without keeping the address
    "suppressions",
    metadata,
    Column("email_hash", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("detail", Text),
    Column("created_at", Utc, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("channel_id", Key, ForeignKey("channels.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("activated_at", Utc),
    Column("ended_at", Utc),
    Column("end_reason", Text),
    UniqueConstraint("subscriber_id", "channel_id"),
    Index("ix_subscriptions_channel_id_state_subscriber_id", "channel_id", "state", "subscriber_id"),
    Index("ix_subscriptions_ended_at", "ended_at"),  # who left a moment ago: asked while mails go out
    sqlite_autoincrement=True,
)

merged_subscriptions = Table(  # what a row followed that went into another: the links in its mails still end that
    "merged_subscriptions",
    metadata,
    Column("former_id", Key, primary_key=True, autoincrement=False),  # of the row that is gone
    Column("channel_id", Key, ForeignKey("channels.id"), primary_key=True),
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Utc, nullable=False),  # of the subscription
    Index("ix_merged_subscriptions_subscriber_id", "subscriber_id"),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subscriber_id", Key, ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False),
    Column("channel_ids", JSON, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # 16 random bytes; the token is made from it with a secret
    Column("token_hash", Text, nullable=False, unique=True),
    Column("created_at", Utc, nullable=False),
    Column("expires_at", Utc, nullable=False),
    Column("confirmed_at", Utc),
    Column("email", Text),  # the address that the person wants instead; null: the request is for channels
    Column("former_email", Text),  # the one that it took the place of, to be told
    Index("ix_confirmations_subscriber_id", "subscriber_id"),
    sqlite_autoincrement=True,
)

budgeted_mails = Table(  # what the forms caused lately: one row a mail, so that a restart forgets no limit (C3)
    "budgeted_mails",
    metadata,
    Column("id", Key, primary_key=True),
    Column("address_hash", Text, nullable=False),
    Column("network", Text, nullable=False),  # a /24 or a /64, such as 203.0.113.0/24
    Column("created_at", Utc, nullable=False),
    Index("ix_budgeted_mails_address_hash_created_at", "address_hash", "created_at"),
    Index("ix_budgeted_mails_network_created_at", "network", "created_at"),
    Index("ix_budgeted_mails_created_at", "created_at"),
)

spent_proofs = Table(  # proofs of a form that were used already, until they would be too old anyway (C4)
    "spent_proofs",
    metadata,
    Column("proof_hash", Text, primary_key=True),
    Column("expires_at", Utc, nullable=False),
    Index("ix_spent_proofs_expires_at", "expires_at"),
)
