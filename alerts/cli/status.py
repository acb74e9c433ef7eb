"""`alerts status`: the queue, the last polls, the relays, the lag."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import typer

from alerts import __version__
from alerts.app import App, utc_now
from alerts.cli.context import run_async
from alerts.cli.floods import held_as_dict, held_in_words
from alerts.cli.hubs import hub_as_dict, hub_in_words
from alerts.cli.output import JsonOption, print_json, say
from alerts.services.status import Status, read_status
from alerts.storage.workers import Worker


def status(ctx: typer.Context, *, json: JsonOption = False) -> None:
    """Show what waits, what was sent, and what needs a hand."""

    async def ask(app: App) -> Status:
        return await read_status(app.db, now=app.clock(), configured=[relay.name for relay in app.relays()])

    found = run_async(ctx, ask)
    if json:
        print_json(_as_dict(found))
    else:
        _print(found, now=utc_now())


def _as_dict(found: Status) -> dict[str, Any]:
    return {
        "version": __version__,
        "deliveries": {state.value: count for state, count in found.deliveries.items()},
        "lag_s": found.lag_s,
        "unmatched_articles": found.unmatched,
        "sources": [
            {
                "name": one.name,
                "kind": one.kind,
                "state": one.state,
                "reason": one.reason,
                "polled_at": one.polled_at,
                "next_poll_at": one.next_poll_at,
                "held": held_as_dict(one.flood),
                "hub": hub_as_dict(one.hub),
                "failing_since_at": one.failing_since_at,
                "warned_at": one.warned_at,
                "set_aside": [{"path": path, "reason": reason} for path, reason in one.set_aside],
            }
            for one in found.sources
        ],
        "relays": [{"url": one.url, "state": one.state, "reason": one.reason} for one in found.relays],
        "breakers": [
            {
                "domain": one.domain,
                "state": one.state,
                "reason": one.reason,
                "opened_at": one.opened_at,
                "probe_at": one.probe_at,
            }
            for one in found.breakers
        ],
        "nodes": [
            {
                "name": one.name,
                "version": one.version,
                "roles": one.roles,
                "schedules": one.id == found.scheduler,
                "senders": _senders(found, one),
                "started_at": one.started_at,
                "heartbeat_at": one.heartbeat_at,
            }
            for one in _nodes(found)
        ],
        "workers": [
            {"id": one.id, "node": one.node, "pid": one.pid, "heartbeat_at": one.heartbeat_at} for one in found.workers
        ],
    }


def _nodes(found: Status) -> list[Worker]:
    """Give the main processes: who has roles is one."""
    return [one for one in found.workers if one.roles]


def _senders(found: Status, node: Worker) -> int:
    """Count the sender processes beside a main one."""
    return sum(one.name == node.name and one.node == node.node and not one.roles for one in found.workers)


def _print(found: Status, *, now: datetime) -> None:
    nodes = _nodes(found)
    running = "not running" if not nodes else "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    say(f"News Alert {__version__}: {running}")
    for node in nodes:
        parts = [f"version {node.version}", ", ".join(node.roles), f"{_senders(found, node)} senders"]
        parts += ["schedules"] if node.id == found.scheduler else []
        say(f"node {node.name}: {'; '.join(parts)}; heard {(now - node.heartbeat_at).total_seconds():.0f} s ago")
    if nodes and found.scheduler not in {node.id for node in nodes}:
        say("no node schedules: nothing is polled; one that may takes over within 20 s")
    say("deliveries: " + ", ".join(f"{count} {state.value}" for state, count in found.deliveries.items()))
    say(f"lag: {found.lag_s:.0f} s" if found.lag_s else "lag: none, nothing is due")
    for source in found.sources:
        polled = f"polled {source.polled_at:%Y-%m-%d %H:%M:%S} UTC" if source.polled_at else "not polled yet"
        since = f" since {source.failing_since_at:%Y-%m-%d %H:%M:%S} UTC" if source.failing_since_at else ""
        say(f"source {source.name}: {source.state}{since}, {polled}" + (f" ({source.reason})" if source.reason else ""))
        if source.flood is not None:
            say(f"  {held_in_words(source.flood)}")
        if source.hub is not None:
            say(f"  {hub_in_words(source.hub, now=now)}")
        for path, reason in source.set_aside:
            say(f"  set aside: {path}: {reason}")
    for relay in found.relays:
        say(f"relay {relay.url}: {relay.state}" + (f" ({relay.reason})" if relay.reason else ""))
    for breaker in found.breakers:
        since, probe = f"{breaker.opened_at:%Y-%m-%d %H:%M:%S}", f"{breaker.probe_at:%Y-%m-%d %H:%M:%S}"
        say(f"domain {breaker.domain}: refuses us since {since} UTC, next try {probe} UTC ({breaker.reason})")
