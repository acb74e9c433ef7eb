"""The first tables.

Revision 0001. As every step here it is never edited after a release: a later change is a later step.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "relays",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_relays"),
    )
    op.create_table(
        "breakers",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("probe_at", TIME, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain", name="pk_breakers"),
    )
    op.create_table(
        "channels",
        sa.Column("id", KEY, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint("slug", name="uq_channels_slug"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("article_id", KEY),
        sa.Column("confirmation_id", KEY),
        sa.Column("digest_run_id", KEY),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", TIME, nullable=False),
        sa.Column("dated_at", TIME, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("faults", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("claim", sa.Text()),
        sa.Column("worker_id", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("reply", sa.Text()),
        sa.Column("relay", sa.Text()),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("confirmation_id", name="uq_deliveries_confirmation_id"),
        sa.UniqueConstraint("digest_run_id", "subscriber_id", name="uq_deliveries_digest_run_id_subscriber_id"),
        sa.UniqueConstraint("subscriber_id", "article_id", name="uq_deliveries_subscriber_id_article_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_article_id_state", "deliveries", ["article_id", "state"])
    op.create_index(
        "ix_deliveries_claimed",
        "deliveries",
        ["worker_id", "lease_until"],
        sqlite_where=sa.text("state = 'claimed'"),
        postgresql_where=sa.text("state = 'claimed'"),
    )
    op.create_index("ix_deliveries_state_lane_due_at_id", "deliveries", ["state", "lane", "due_at", "id"])
    op.create_table(
        "delivery_counts",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("article_id", KEY, autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "article_id", "state", "day", name="pk_delivery_counts"),
    )
    op.create_table(
        "digest_runs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("window_start_at", TIME, nullable=False),
        sa.Column("window_end_at", TIME, nullable=False),
        sa.Column("cursor", KEY, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_digest_runs"),
        sa.UniqueConstraint(
            "frequency", "time_zone", "window_end_at", name="uq_digest_runs_frequency_time_zone_window_end_at"
        ),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "secrets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_secrets"),
    )
    op.create_table(
        "sources",
        sa.Column("id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("every_s", sa.Integer(), nullable=False),
        sa.Column("first_poll", sa.Text(), nullable=False),
        sa.Column("max_age_s", sa.Integer()),
        sa.Column("allow_private", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since_at", TIME),
        sa.Column("next_poll_at", TIME, nullable=False),
        sa.Column("polled_at", TIME),
        sa.Column("claim", sa.Text()),
        sa.Column("lease_until", TIME),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        sa.Column("body_hash", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("location", name="uq_sources_location"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
    )
    op.create_index("ix_sources_next_poll_at", "sources", ["next_poll_at"])
    op.create_table(
        "subscribers",
        sa.Column("id", KEY, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("time_zone", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sa.UniqueConstraint("email_key", name="uq_subscribers_email_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("email_hash", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("email_hash", name="pk_suppressions"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("heartbeat_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "articles",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("canonical_url", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.JSON(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("tickers", sa.JSON(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("published_at", TIME),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("changed_at", TIME),
        sa.Column("matched_at", TIME),
        sa.Column("match_faults", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("set_aside", sa.Text()),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_articles_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
        sa.UniqueConstraint("source_id", "item_id", name="uq_articles_source_id_item_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_articles_first_seen_at", "articles", ["first_seen_at"])
    op.create_index("ix_articles_source_id_canonical_url", "articles", ["source_id", "canonical_url"])
    op.create_index("ix_articles_source_id_content_hash", "articles", ["source_id", "content_hash"])
    op.create_index(
        "ix_articles_unmatched",
        "articles",
        ["id"],
        sqlite_where=sa.text("matched_at IS NULL"),
        postgresql_where=sa.text("matched_at IS NULL"),
    )
    op.create_table(
        "confirmations",
        sa.Column("id", KEY, nullable=False),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("channel_ids", sa.JSON(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_confirmations_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_confirmations"),
        sa.UniqueConstraint("token_hash", name="uq_confirmations_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_confirmations_subscriber_id", "confirmations", ["subscriber_id"])
    op.create_table(
        "files",
        sa.Column("id", KEY, nullable=False),
        sa.Column("source_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("wait_until_at", TIME),
        sa.Column("looked_at", TIME, nullable=False),
        sa.Column("read_at", TIME),
        sa.Column("was_there", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_files_source_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sa.UniqueConstraint("source_id", "path", name="uq_files_source_id_path"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("subscriber_id", KEY, nullable=False),
        sa.Column("channel_id", KEY, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("activated_at", TIME),
        sa.Column("ended_at", TIME),
        sa.Column("end_reason", sa.Text()),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_subscriptions_channel_id"),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_subscriptions_subscriber_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("subscriber_id", "channel_id", name="uq_subscriptions_subscriber_id_channel_id"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_subscriptions_channel_id_state_subscriber_id", "subscriptions", ["channel_id", "state", "subscriber_id"]
    )
    op.create_index("ix_subscriptions_ended_at", "subscriptions", ["ended_at"])
    op.create_table(
        "fan_outs",
        sa.Column("article_id", KEY, nullable=False),
        sa.Column("cursor", KEY, server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_fan_outs_article_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("article_id", name="pk_fan_outs"),
    )
    op.create_index(
        "ix_fan_outs_unfinished",
        "fan_outs",
        ["article_id"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "matches",
        sa.Column("article_id", KEY, nullable=False),
        sa.Column("channel_id", KEY, nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("hits", sa.JSON(), nullable=False),
        sa.Column("matched_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["articles.id"], name="fk_matches_article_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_matches_channel_id"),
        sa.PrimaryKeyConstraint("article_id", "channel_id", name="pk_matches"),
    )
    op.create_index("ix_matches_channel_id_article_id", "matches", ["channel_id", "article_id"])
