"""The tables of the service itself: what is true of the ledger, who works on it, and how the world takes our mails."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, text

from alerts.storage.schema.columns import Utc, metadata

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
