"""The composition root: the only place that builds real things out of a config and hands them down."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from alerts.config import Config
from alerts.config.model import Links as LinksTo
from alerts.config.model import Websub
from alerts.core.messages import SiteIdentity, Templates
from alerts.core.tokens import Secrets
from alerts.core.websub import is_reachable
from alerts.mail.catcher import Catcher
from alerts.mail.opening import Endpoint
from alerts.mail.relays import Relay
from alerts.mail.templates import load_templates
from alerts.metrics import Metrics
from alerts.queue import LocalQueue, WorkQueue
from alerts.services.aliases import reader_of, sync_aliases
from alerts.services.channels import sync_channels
from alerts.services.compose import Composer
from alerts.services.examples import refuse_failing
from alerts.services.sources import sync_sources
from alerts.storage.engine import Database, after_commit
from alerts.storage.facts import ledger_id
from alerts.storage.postgresql import conninfo
from alerts.storage.secrets import load_secrets


def utc_now() -> datetime:
    """Read the clock: the one place that does."""
    return datetime.now(UTC)


class App:
    """The opened product: a config, a ledger that agrees with it, and what both make possible."""

    def __init__(self, config: Config, db: Database, templates: Templates, secrets: Secrets, ledger: str) -> None:
        self.config = config
        self.db = db
        self.templates = templates
        self.secrets = secrets
        self.ledger_id = ledger
        self.metrics = Metrics()
        self.queue = self._queue()
        self.clock = utc_now

    @classmethod
    async def open(cls, config: Config) -> App:
        """Open the ledger that the config names and make its sources and channels those of the config."""
        app = await cls.join(config)
        try:
            await app.apply(config, app.templates)
        except BaseException:
            await app.close()
            raise
        return app

    @classmethod
    async def join(cls, config: Config, *, inline: bool = False) -> App:
        """Open the ledger beside a process that has opened it with this config: its sources and channels stand.

        ``inline``: for a process that does little else than send, see ``Database.open``; it makes no ledger.
        """
        templates = load_templates(config.templates)
        db = await Database.open(config.database, inline=inline, make=not inline)
        try:
            async with db.transaction() as tx:
                secrets, ledger = await load_secrets(tx), await ledger_id(tx)
        except BaseException:
            await db.close()
            raise
        return cls(config, db, templates, secrets, ledger)

    async def apply(self, config: Config, templates: Templates | None = None) -> None:
        """Take over a config: sources and channels become rows; all or nothing.

        Raises ConfigError for a query that cannot be read, or whose examples do not hold.
        """
        templates = templates or load_templates(config.templates)
        now = self.clock()
        read = reader_of(config.aliases)
        await refuse_failing(config.channels, time_zone=ZoneInfo(config.site.time_zone), read=read)
        await sync_aliases(self.db, config.aliases)
        await sync_channels(self.db, config.channels, now=now)
        await sync_sources(self.db, config.sources, now=now)
        self.config, self.templates = config, templates

    @property
    def site(self) -> SiteIdentity:
        """The publisher as mails show it."""
        site = self.config.site
        return SiteIdentity(
            name=site.name,
            url=site.url.rstrip("/"),
            sender=self.config.mail.sender,
            postal_address=site.postal_address,
            language=site.language,
            time_zone=site.time_zone,
            links_to_site=self.config.mail.links is LinksTo.SITE,
        )

    def _queue(self) -> WorkQueue:
        """Build the queue that hands out work: PostgreSQL's is shared by all nodes; nothing is connected yet."""
        if self.db.dialect == "sqlite":
            return LocalQueue(after_commit)
        from alerts.queue.cluster import ClusterQueue  # noqa: PLC0415 - an extra

        return ClusterQueue(conninfo(self.config.database))

    @property
    def hub_callbacks(self) -> str | None:
        """The address under which hubs call back; None where none is asked."""
        url = self.config.site.url.rstrip("/")
        wish = self.config.web.websub
        is_asked = is_reachable(url) if wish is Websub.AUTO else wish is Websub.ALWAYS
        return f"{url}/websub/" if is_asked else None

    def composer(self) -> Composer:
        """Build what makes messages for this site."""
        return Composer(templates=self.templates, site=self.site, secrets=self.secrets, ledger_id=self.ledger_id)

    def relays(self) -> list[Relay]:
        """Build the relays of the config, none connected yet."""
        built = []
        for one in self.config.mail.relays:
            endpoint = Endpoint(
                host=one.host,
                port=one.port,
                tls=one.tls,
                implicit_tls=one.scheme == "smtps",
                username=one.username,
                password=one.password.get_secret_value() if one.password else None,
                helo=self.config.mail.sender.rpartition("@")[2],
            )
            built.append(
                Relay(
                    name=one.url,
                    endpoint=endpoint,
                    clock=self.clock,
                    connections=one.connections,
                    weight=one.weight,
                    rate=one.rate,
                    messages_per_connection=one.messages_per_connection,
                )
            )
        return built

    def catcher(self) -> Catcher | None:
        """Build the built-in catcher, not started; None where no relay of the config is it."""
        one = next((relay for relay in self.config.mail.relays if relay.scheme == "catcher"), None)
        return Catcher(self.maildir, one.host, one.port) if one else None

    @property
    def maildir(self) -> Path:
        """Where the catcher keeps what it caught: beside the config, whatever the database is."""
        return self.config.folder / "var" / "caught"

    async def close(self) -> None:
        """Let go of the ledger."""
        await self.db.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
