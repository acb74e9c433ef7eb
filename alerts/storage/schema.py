"""The tables, as SQLAlchemy Core sees them; ``migrations/`` makes the same ones, and a test compares the two.

Arrows of the flow are rows here, and the unique constraints are what makes a step harmless to repeat.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


class Utc(TypeDecorator[datetime]):
    """An aware UTC time: TIMESTAMPTZ on PostgreSQL, sortable text on SQLite; refuses naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into what the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time came to the database: {value!r}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Turn what the database kept into an aware time in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def _where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """Index the rows for which a condition holds; a query finds it only if it says the same, with the values in it."""
    where = text(condition)
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite only auto-increments an INTEGER primary key

facts = Table(  # one row a fact about this database: ledger_id, created_by …
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

secrets = Table(  # signing keys for the links in mails; kept for ever, so that old links go on working (U5)
    "secrets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created_at", Utc, nullable=False),
)

workers = Table(  # who holds claims; a silent worker's claims are taken back
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("node", Text, nullable=False),  # the machine as its processes know it: host, boot, namespace
    Column("name", Text, nullable=False, server_default=text("''")),  # the node as its operator knows it
    Column("pid", Integer, nullable=False),
    Column("roles", Text, nullable=False, server_default=text("''")),
    Column("version", Text, nullable=False),
    Column("started_at", Utc, nullable=False),
    Column("heartbeat_at", Utc, nullable=False),
)

leases = Table(  # what one node does for all, like scheduling: who, and for the how-manieth time it changed hands
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text),  # a worker; null: nobody
    Column("epoch", BigInteger, nullable=False),
    Column("beats", BigInteger, nullable=False),  # grows as long as the holder lives
)

relays = Table(  # how each relay does, as the process that sends sees it; for `alerts status`
    "relays",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("changed_at", Utc, nullable=False),
)

breakers = Table(  # recipient domains that refuse us; what is not here is closed
    "breakers",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened_at", Utc, nullable=False),
    Column("probe_at", Utc, nullable=False),
    Column("times", Integer, nullable=False),
)

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
    _where("ix_sources_lease_until", "lease_until IS NOT NULL", "lease_until"),
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
    _where("uq_api_keys_name", "revoked_at IS NULL", "name", unique=True),
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
    _where("uq_floods_undecided", "decided_at IS NULL", "source_id", unique=True),
)

articles = Table(
    "articles",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("sources.id"), nullable=False),
    Column("item_id", Text, nullable=False),
    Column("url", Text),
    Column("canonical_url", Text),
    Column("title", Text, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("body", Text, nullable=False),
    Column("author", Text),
    Column("tags", JSON, nullable=False),
    Column("tickers", JSON, nullable=False),
    Column("language", Text),
    Column("published_at", Utc),
    Column("content_hash", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("first_seen_at", Utc, nullable=False),
    Column("changed_at", Utc),
    Column("matched_at", Utc),
    Column("match_faults", Integer, nullable=False, server_default=text("0")),
    Column("set_aside", Text),  # why matching or composing gave up on it
    Column("flood_id", Key),  # the flood that it was held in, whatever was decided then
    Column("same_story_as", Key),  # the article that told the story first; no foreign key: the row may only be told of
    Column("page_text", Text),  # what its page says, in place of ``body``; that, and what is compared, stay the feed's
    UniqueConstraint("source_id", "item_id"),
    Index("ix_articles_source_id_content_hash", "source_id", "content_hash"),
    Index("ix_articles_source_id_canonical_url", "source_id", "canonical_url"),
    Index("ix_articles_first_seen_at", "first_seen_at"),
    Index("ix_articles_source_id_first_seen_at", "source_id", "first_seen_at", "disposition"),
    _where("ix_articles_flood_id", "flood_id IS NOT NULL", "flood_id", "id"),
    _where("ix_articles_unmatched", "matched_at IS NULL", "id"),
    _where("ix_articles_same_story_as", "same_story_as IS NOT NULL", "same_story_as"),
    sqlite_autoincrement=True,
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

channels = Table(
    "channels",
    metadata,
    Column("id", Key, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("origin", Text, nullable=False),  # config | cli
    Column("state", Text, nullable=False),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default=text("0")),  # of all channels, at its last change
    Index("ix_channels_revision_id", "revision", "id"),
)

aliases = Table(  # other names of one thing, as the config declares them
    "aliases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("others", JSON, nullable=False),
)

revisions = Table(  # how often the channels, and the aliases, changed: one look tells that they did not
    "revisions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

matches = Table(
    "matches",
    metadata,
    Column("article_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("channel_id", Key, ForeignKey("channels.id"), primary_key=True),
    Column("score", Integer, nullable=False),  # thousandths
    Column("hits", JSON, nullable=False),
    Column("matched_at", Utc, nullable=False),
    Index("ix_matches_channel_id_article_id", "channel_id", "article_id"),
)

repeats = Table(  # this article answers this channel too, but another source told it the story before: no match
    "repeats",
    metadata,
    Column("article_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("channel_id", Key, ForeignKey("channels.id"), primary_key=True),
    Column("first_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), nullable=False),  # that is in the channel
    Index("ix_repeats_first_id_channel_id", "first_id", "channel_id"),
)

story_marks = Table(  # by which copies of the articles of the last days are found
    "story_marks",
    metadata,
    Column("mark", BigInteger, primary_key=True, autoincrement=False),
    Column("article_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("seen_at", Utc, nullable=False),
    Index("ix_story_marks_seen_at", "seen_at"),
)

fan_outs = Table(  # an article that owes mails; the cursor moves up the subscribers' keys
    "fan_outs",
    metadata,
    Column("article_id", Key, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("cursor", Key, nullable=False, server_default=text("0")),  # subscriber ids up to here are done
    Column("created_at", Utc, nullable=False),
    Column("finished_at", Utc),
    _where("ix_fan_outs_unfinished", "finished_at IS NULL", "article_id"),
)

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
    _where("ix_subscribers_paused", "paused_until_at IS NOT NULL", "paused_until_at"),
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
    _where(
        "uq_digest_runs_frequency_time_zone_window_end_at",
        "flood_id IS NULL",
        "frequency",
        "time_zone",
        "window_end_at",
        unique=True,
    ),
    _where("uq_digest_runs_flood_id", "flood_id IS NOT NULL", "flood_id", unique=True),
    _where("ix_digest_runs_unfinished", "finished_at IS NULL", "id"),
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
    _where(
        "uq_deliveries_confirmation_id_kind",
        "confirmation_id IS NOT NULL",
        "confirmation_id",
        "kind",
        unique=True,
    ),
    _where(
        "uq_deliveries_digest_run_id_subscriber_id",
        "digest_run_id IS NOT NULL",
        "digest_run_id",
        "subscriber_id",
        unique=True,
    ),
    Index("ix_deliveries_article_id", "article_id"),
    _where("ix_deliveries_due", "state = 'pending'", "lane", "due_at", "id"),
    _where("ix_deliveries_claimed", "state = 'claimed'", "claim"),
    # OR, for IN makes SQLite build a table at every statement that writes.
    _where("ix_deliveries_unsent", "state = 'failed' OR state = 'expired' OR state = 'cancelled'", "state", "id"),
    _where("ix_deliveries_finished_at", "finished_at IS NOT NULL", "finished_at"),
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
