"""Nodes that send keep a relay's rate together, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from website import app_over, config_in

from alerts.app import App
from alerts.daemon.outbox import Outbox
from alerts.daemon.worker import Worker
from alerts.storage.engine import Database


async def app_with_rate(db: Database, folder: Path, now: datetime) -> App:
    config = config_in(folder)
    relay = replace(config.mail.relays[0], rate=100.0)
    return await app_over(db, replace(config, mail=replace(config.mail, relays=(relay,))), lambda: now)


async def test_a_node_that_joins_halves_the_rate_of_the_other_and_gives_it_back_when_it_leaves(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    app = await app_with_rate(db, tmp_path, now)
    main = Worker(db, lambda: now, node="a", roles=["send", "web"])
    sender = Worker(db, lambda: now, node="a")  # beside it, with a share of the relays but no roles
    await main.join()
    await sender.join()
    outbox = Outbox(app, sender, stopping=lambda: False)

    def rate() -> float:
        bucket = outbox.relays[0].bucket
        assert bucket is not None
        return bucket.rate

    await sender.beat()
    assert rate() == pytest.approx(100.0)
    site, other = Worker(db, lambda: now, node="b", roles=["web", "poll"]), Worker(db, lambda: now, roles=["send"])
    await site.join()
    await other.join()
    await sender.beat()
    assert rate() == pytest.approx(50.0)
    outbox.rebuild()
    assert rate() == pytest.approx(50.0)
    await other.leave()
    await sender.beat()
    assert rate() == pytest.approx(100.0)
