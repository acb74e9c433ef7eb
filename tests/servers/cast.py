"""The cast and their world, written straight into a ledger: Alice and others subscribe, an article is published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.storage import schema
from alerts.storage.channels import Origin, channel_by_slug, declare_channel
from alerts.storage.engine import Database


@dataclass(slots=True)
class World:
    """Builds rows by hand, so that a test of one step needs no other step."""

    db: Database
    now: datetime

    async def source(self, name: str = "seeds") -> int:
        async with self.db.transaction() as tx:
            return await _insert(
                tx,
                "sources",
                name=name,
                kind="folder",
                location=f"/srv/{name}",
                origin="config",
                every_s=2,
                first_poll="seen",
                state="ok",
                next_poll_at=self.now,
                created_at=self.now,
            )

    async def channel(self, slug: str = "xiaomi", query: str = "about:Xiaomi") -> int:
        async with self.db.transaction() as tx:
            await declare_channel(
                tx, slug=slug, name=slug.title(), query=query, origin=Origin.CONFIG, position=0, now=self.now
            )
            found = await channel_by_slug(tx, slug)
        assert found is not None
        return found.id

    async def article(
        self, source_id: int, *, title: str = "Xiaomi opens a plant", channels: tuple[int, ...] = ()
    ) -> int:
        """Publish an article; with channels, it is matched already and owes its fan-out."""
        async with self.db.transaction() as tx:
            article_id = await _insert(
                tx,
                "articles",
                source_id=source_id,
                item_id=title,
                url="https://daily.example/a",
                title=title,
                summary=["A line."],
                body="Body.",
                tags=[],
                tickers=[],
                content_hash=title,
                disposition="alert",
                first_seen_at=self.now,
                matched_at=self.now if channels else None,
            )
            for channel_id in channels:
                values = {"channel_id": channel_id, "score": 900, "hits": [], "matched_at": self.now}
                await tx.execute(schema.matches.insert().values(article_id=article_id, **values))
            if channels:
                await tx.execute(schema.fan_outs.insert().values(article_id=article_id, created_at=self.now))
        return article_id

    async def readers(
        self, count: int, channel_ids: tuple[int, ...], *, frequency: str = "immediate", start: int = 1
    ) -> list[int]:
        """Subscribe reader1@example.org … to the channels, confirmed a moment ago."""
        async with self.db.transaction() as tx:
            first = (await tx.scalar(select(func.max(schema.subscribers.c.id)))) or 0
            people = [
                {
                    "id": first + number,
                    "email": f"reader{start + number - 1}@example.org",
                    "email_key": f"reader{start + number - 1}@example.org",
                    "domain": "example.org",
                    "state": "active",
                    "created_at": self.now,
                }
                for number in range(1, count + 1)
            ]
            await tx.execute(schema.subscribers.insert(), people)
            await tx.execute(
                schema.subscriptions.insert(),
                [
                    {
                        "subscriber_id": one["id"],
                        "channel_id": channel_id,
                        "state": "active",
                        "frequency": frequency,
                        "created_at": self.now,
                        "activated_at": self.now,
                    }
                    for one in people
                    for channel_id in channel_ids
                ],
            )
        return [first + number for number in range(1, count + 1)]


async def _insert(tx: AsyncConnection, table: str, **values: object) -> int:
    done = await tx.execute(schema.metadata.tables[table].insert().values(**values))
    key = done.inserted_primary_key
    assert key is not None
    return int(key[0])
