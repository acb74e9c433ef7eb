"""The tables, as SQLAlchemy Core sees them; ``migrations/`` makes the same ones, and a test compares the two.

    columns    what they are made of, and the one ``metadata``
    service    what is true of the ledger, who works on it, how relays and domains do
    gathering  sources, and what is known of each
    matching   articles, channels, and which answers which
    people     who wants which channel
    mails      what is owed, sent, and left of it

Arrows of the flow are rows here, and the unique constraints are what makes a step harmless to repeat.
"""

from alerts.storage.schema.columns import Key, Utc, metadata
from alerts.storage.schema.gathering import api_keys, boilerplate, files, floods, hub_subscriptions, sources
from alerts.storage.schema.mails import deliveries, delivery_counts, digest_runs, fan_outs
from alerts.storage.schema.matching import aliases, articles, channels, matches, repeats, revisions, story_marks
from alerts.storage.schema.people import (
    budgeted_mails,
    confirmations,
    merged_subscriptions,
    spent_proofs,
    subscribers,
    subscriptions,
    suppressions,
)
from alerts.storage.schema.service import breakers, facts, leases, relays, secrets, workers

__all__ = [
    "Key",
    "Utc",
    "aliases",
    "api_keys",
    "articles",
    "boilerplate",
    "breakers",
    "budgeted_mails",
    "channels",
    "confirmations",
    "deliveries",
    "delivery_counts",
    "digest_runs",
    "facts",
    "fan_outs",
    "files",
    "floods",
    "hub_subscriptions",
    "leases",
    "matches",
    "merged_subscriptions",
    "metadata",
    "relays",
    "repeats",
    "revisions",
    "secrets",
    "sources",
    "spent_proofs",
    "story_marks",
    "subscribers",
    "subscriptions",
    "suppressions",
    "workers",
]
