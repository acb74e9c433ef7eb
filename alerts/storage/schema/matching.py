"""The tables of articles and of channels, and of which answers which, or tells the same story as another."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from alerts.storage.schema.columns import Key, Utc, index_where, metadata

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
    index_where("ix_articles_flood_id", "flood_id IS NOT NULL", "flood_id", "id"),
    index_where("ix_articles_unmatched", "matched_at IS NULL", "id"),
    index_where("ix_articles_same_story_as", "same_story_as IS NOT NULL", "same_story_as"),
    sqlite_autoincrement=True,
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
