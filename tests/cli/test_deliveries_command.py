"""`alerts deliveries counts` as Bob types it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import World
from sqlalchemy import update

from alerts.cli import main
from alerts.services.fan_out import fan_out
from alerts.services.retention import retain
from alerts.storage.engine import Database
from alerts.storage.schema import deliveries

LONG_AGO = datetime(2025, 1, 6, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "config.yaml").write_text("sources: [{folder: seeds}]\n")
    (tmp_path / "seeds").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def mail_and_forget_who(folder: Path) -> None:
    db = await Database.open(f"sqlite:///{folder}/var/alerts.db")
    world = World(db, LONG_AGO)
    channel = await world.channel()
    await world.readers(3, (channel,))
    article = await world.article(await world.source("old"), title="Xiaomi opens a plant", channels=(channel,))
    while not (await fan_out(db, article, now=LONG_AGO)).finished:
        pass
    async with db.transaction() as tx:
        await tx.execute(update(deliveries).values(state="sent", finished_at=LONG_AGO))
    await retain(db, keep=timedelta(days=30), now=LONG_AGO + timedelta(days=31))
    await db.close()


def test_how_many_got_an_article_is_told_long_after_who_got_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(mail_and_forget_who(folder))
    assert main(["deliveries", "counts", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["title"], found["sent"], found["failed"]) == ("Xiaomi opens a plant", 3, 0)
    assert main(["deliveries", "counts"]) == 0
    assert "Xiaomi opens a plant" in capsys.readouterr().out
    assert main(["deliveries", "list"]) == 0
    assert "no deliveries" in capsys.readouterr().err
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["deliveries"]["sent"] == 3


def test_nothing_was_mailed_yet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deliveries", "counts"]) == 0
    assert "no alerts" in capsys.readouterr().err


def test_running_once_counts_what_is_old(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(mail_and_forget_who(folder))

    async def bring_back() -> None:
        db = await Database.open(f"sqlite:///{folder}/var/alerts.db")
        async with db.transaction() as tx:
            row = {"kind": "test", "lane": 0, "subscriber_id": 1, "state": "failed"}
            times = {"due_at": LONG_AGO, "dated_at": LONG_AGO, "finished_at": LONG_AGO}
            await tx.execute(deliveries.insert().values(**row, **times))
        await db.close()

    asyncio.run(bring_back())
    (folder / "config.yaml").write_text("sources: [{folder: seeds}]\nmail: {relays: [{url: 'smtp://127.0.0.1:9'}]}\n")
    assert main(["run", "--once", "--json"]) == 0
    capsys.readouterr()
    assert main(["deliveries", "list"]) == 0
    assert "no deliveries" in capsys.readouterr().err
