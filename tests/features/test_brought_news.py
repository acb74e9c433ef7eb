"""News that is brought to a running daemon, by a publisher's post or a hub's push, is in the mailboxes at once."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path

from daemon import Site, wait_until
from hub import Hub

XIAOMI = "Xiaomi opens its second car plant in Beijing"


def post(site: Site, key: str, title: str) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.web}/api/v1/articles",
        data=json.dumps({"id": title, "title": title, "tags": ["Xiaomi"]}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - likewise
        status: int = answer.status
    return status


def atom(hub: Hub, *titles: str) -> bytes:
    entries = "".join(f"<entry><id>{one}</id><title>{one}</title><category term='Xiaomi'/></entry>" for one in titles)
    links = f'<link rel="self" href="{hub.url("/feed")}"/><link rel="hub" href="{hub.url()}"/>'
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{links}{entries}</feed>'.encode()


async def test_a_post_and_a_push_are_mailed_at_once_and_the_key_is_in_no_log(tmp_path: Path) -> None:
    site = Site(tmp_path, environ={"ALERTS_WEB__WEBSUB": "always"})
    async with Hub() as hub:
        hub.pages["/feed"] = (atom(hub, "Old news"), [])
        await asyncio.to_thread(site.subscribe, ["alice@example.org"])
        await asyncio.to_thread(site.run, "sources", "add", hub.url("/feed"), "--allow-private")
        key = (await asyncio.to_thread(site.run, "keys", "add", "cms")).stdout.strip()
        daemon = await asyncio.to_thread(site.daemon().start)
        try:
            assert await asyncio.to_thread(post, site, key, XIAOMI) == 201
            await asyncio.to_thread(wait_until, lambda: hub.verified == [True], within_s=30, what="we are subscribed")
            assert await hub.push(atom(hub, "Old news", "Xiaomi builds trucks")) == 202
            await asyncio.to_thread(wait_until, lambda: caught(site) == 2, within_s=30, what="two mails")
        finally:
            await asyncio.to_thread(daemon.terminate)
        assert key not in daemon.log()


def caught(site: Site) -> int:
    return sum(one.is_file() for one in (site.folder / "var" / "caught" / "new").glob("*"))
