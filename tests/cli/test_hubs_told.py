"""What the operator is told of a source's hub: whether it pushes, until when, and why not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.cli import main
from alerts.core.websub import HubLinks
from alerts.storage import websub
from alerts.storage.engine import Database
from alerts.storage.websub import HubSubscription

HUB = "https://hub.example/"
NOW = datetime.now(UTC).replace(microsecond=0)
Write = Callable[[AsyncConnection, HubSubscription], Awaitable[Any]]


@pytest.fixture(autouse=True)
def one_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("sources: []\n")
    monkeypatch.chdir(tmp_path)
    main(["sources", "add", "https://news.example/feed", "--unasked"])


def happens(*writes: Write) -> None:
    """Let the feed name a hub, and then this come to pass."""

    async def write() -> None:
        db = await Database.open("sqlite:///var/alerts.db")
        async with db.transaction() as tx:
            links = HubLinks(hub=HUB, topic="https://news.example/feed")
            await websub.offer(tx, 1, links, token="t", secret="hidden", now=NOW)
        for one in writes:
            async with db.transaction() as tx:
                held = await websub.subscription_of(tx, 1)
                assert held is not None
                await one(tx, held)
        await db.close()

    asyncio.run(write())


async def verified(tx: AsyncConnection, held: HubSubscription) -> None:
    await websub.activate(tx, held.id, lease_until=NOW + timedelta(days=9), renew_at=NOW + timedelta(days=7))


async def expired(tx: AsyncConnection, held: HubSubscription) -> None:
    await websub.activate(tx, held.id, lease_until=NOW - timedelta(days=9), renew_at=NOW)


async def pushed(tx: AsyncConnection, held: HubSubscription) -> None:
    await websub.record_push(tx, held.id, now=NOW)


async def refused(tx: AsyncConnection, held: HubSubscription) -> None:
    await websub.record_answer(
        tx, held, next_at=NOW + timedelta(hours=1), failures=3, reason="hub.example failed (500)"
    )


def told(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    capsys.readouterr()
    assert main([*command]) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("writes", "words"),
    [
        ((), "does not push, waits for its answer"),
        ((refused,), "does not push: hub.example failed (500), asked again {hour}"),
        ((verified,), "pushes until {days}, nothing yet that a poll had not found"),
        ((verified, pushed), "pushes until {days}, last on {now}"),
        ((verified, pushed, refused), "pushes until {days}, last on {now}; not renewed: hub.example failed (500)"),
        ((expired, refused), "does not push: hub.example failed (500), asked again {hour}"),
    ],
)
def test_each_way_of_looking_says_how_the_hub_does(
    capsys: pytest.CaptureFixture[str], writes: tuple[Write, ...], words: str
) -> None:
    happens(*writes)
    times = {"now": NOW, "hour": NOW + timedelta(hours=1), "days": NOW + timedelta(days=9)}
    expected = f"hub {HUB}: " + words.format(**{name: f"{at:%Y-%m-%d %H:%M} UTC" for name, at in times.items()})

    for command in (("status",), ("sources", "list"), ("sources", "show", "news.example")):
        assert expected in told(capsys, *command)


def test_scripts_are_told_the_same_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    happens(verified, pushed, refused)

    answers = [told(capsys, *command, "--json") for command in (("status",), ("sources", "list"))]
    shown = told(capsys, "sources", "show", "news.example", "--json")

    hubs = [json.loads(answers[0])["sources"][0]["hub"], json.loads(answers[1])[0]["hub"], json.loads(shown)["hub"]]
    assert hubs[0] == hubs[1] == hubs[2]
    assert (hubs[0]["url"], hubs[0]["state"], hubs[0]["failures"]) == (HUB, "active", 3)
    assert hubs[0]["reason"] == "hub.example failed (500)"
    assert datetime.fromisoformat(hubs[0]["until_at"]) == NOW + timedelta(days=9)
    assert datetime.fromisoformat(hubs[0]["pushed_at"]) == NOW
    assert "hidden" not in "".join([*answers, shown])


def test_a_source_without_a_hub_says_nothing_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("status",), ("sources", "list"), ("sources", "show", "news.example")):
        assert "hub " not in told(capsys, *command)
    assert json.loads(told(capsys, "sources", "show", "news.example", "--json"))["hub"] is None
