"""The tables of sources, and of what is known of each: its keys, hub, files, floods and boilerplate."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
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

sources = Table(
    "sources",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("location", Text, nullable=False, unique=True),
    Column("origin", Text, nullable=False),  # config | cli: who declared it; config rows follow the file
    Column("every_s", Integer, nullable=False),
    Column("first_poll", Text, nullable=False),
    Column("max_age_s", Integer),
    Column("allow_private", Boolean, nullable=False, server_default=false()),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("failing_since_at", Utc),
    Column("next_poll_at", Utc, nullable=False),
    Column("polled_at", Utc),
    Column("claim", Text),
    Column("lease_until", Utc),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", Text),
    Column("created_at", Utc, nullable=False),
    Column("flood", Text, nullable=False, server_default=text("'auto'")),  # auto | off | a number
    Column("flood_from_at", Utc),  # what was first seen until then counts to no flood any more
    Column("every_at_most_s", Integer),  # null: polled every_s exactly
    Column("gap_s", Integer),  # what its polls taught of its pace
    Column("news_at", Utc),
    Column("moved_to", Text),  # where it is asked for since it moved for good
    Column("warned_at", Utc),  # when the operator was told that it fails
    Column("content", Text, nullable=False, server_default=text("'content'")),  # summary | content | page
    Index("ix_sources_next_poll_at", "next_poll_at"),
    index_where("ix_sources_lease_until", "lease_until IS NOT NULL", "lease_until"),
)

api_keys = Table(  # who may post articles; only a hash of the key is kept
    "api_keys",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("articles_an_hour", Integer, nullable=False),  # the budget
    Column("hour_began_at", Utc),  # of the hour that is counted
    Column("articles_in_hour", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Utc, nullable=False),
    Column("last_used_at", Utc),
    Column("revoked_at", Utc),
    index_where("uq_api_keys_name", "revoked_at IS NULL", "name", unique=True),
)

hub_subscriptions = Table(  # where we hear of a feed's news (WebSub), or want to
    "hub_subscriptions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("hub", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("token", Text, nullable=False, unique=True),  # of our callback's address
    Column("secret", Text, nullable=False),  # what the hub signs with
    Column("state", Text, nullable=False),
    Column("next_at", Utc, nullable=False),  # when the hub is asked next
    Column("asked_at", Utc),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("lease_until", Utc),
    Column("pushed_at", Utc),  # null too from when a poll found what the hub had not told
    Column("reason", Text),
    Column("created_at", Utc, nullable=False),
    Index("ix_hub_subscriptions_next_at", "next_at"),
)

files = Table(  # what the folder source knows of each file, so that only changed ones are read
    "files",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),  # relative to the folder, with "/"; undecodable bytes as \\xNN
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("reason", Text),  # why it is set aside; null when it was read
    Column("wait_until_at", Utc),  # a future date: looked at again then
    Column("looked_at", Utc, nullable=False),  # when it was first seen with this size, mtime and inode
    Column("read_at", Utc),  # null until it was read with this size, mtime and inode
    Column("was_there", Boolean, nullable=False, server_default=false()),  # before the first poll, and never read yet
    UniqueConstraint("source_id", "path"),
)

floods = Table(  # a source brought far more than its habit: what of it is held, and what the operator decided
    "floods",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("sources.id"), nullable=False),
    Column("began_at", Utc, nullable=False),
    Column("most", Integer, nullable=False),  # the limit that it passed
    Column("decision", Text),
    Column("decided_at", Utc),
    index_where("uq_floods_undecided", "decided_at IS NULL", "source_id", unique=True),
)

boilerplate = Table(  # lines of a source's articles, counted; an empty hash counts the articles themselves
    "boilerplate",
    metadata,
    Column("source_id", Key, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True),
    Column("line_hash", Text, primary_key=True),
    Column("articles", Integer, nullable=False),  # different ones that it stood in
    Column("since", Integer, nullable=False),  # how many articles there were before the first of them
    Column("last_seen_at", Utc, nullable=False),
    Index("ix_boilerplate_source_id_last_seen_at", "source_id", "last_seen_at"),
)
