"""The server on a real socket: it starts, stops, limits, and says why it cannot."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
from cast import World
from website import Website, website

from alerts.core.errors import AlertsError
from alerts.storage.engine import Database
from alerts.web.server import MAX_HEADER_BYTES, WebServer


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(sqlite_db, tmp_path, now) as web:
        yield web


@pytest.fixture
async def server(web: Website) -> AsyncIterator[WebServer]:
    server = WebServer(web.site, "127.0.0.1", 0)
    await server.start()
    yield server
    await server.stop()


async def raw(server: WebServer, request: bytes) -> bytes:
    """Send bytes, hang up the sending side, return what comes back."""
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_answers_and_leaves_the_processes_signals_alone(web: Website) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = WebServer(web.site, "127.0.0.1", 0)
    await server.start()
    host, port = server.address
    async with httpx2.AsyncClient() as visitor:
        answer = await visitor.get(f"http://{host}:{port}/healthz")
    during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    await server.stop()
    assert answer.json()["status"] == "ok"
    assert "server" not in answer.headers
    assert during == before


async def test_a_mailboxs_one_click_is_answered_within_a_second(
    web: Website, server: WebServer, now: datetime, sqlite_db: Database
) -> None:
    world = World(sqlite_db, now)
    channel = await world.channel()
    article = await world.article(await world.source(), channels=(channel,))
    (person,) = await world.readers(1, (channel,))
    body = b"List-Unsubscribe=One-Click"
    head = (
        f"POST {web.leave_link(person, article)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    )
    async with asyncio.timeout(1):
        answer = await raw(server, head.encode() + body)
    assert answer.startswith(b"HTTP/1.1 200")


async def test_an_address_in_use_is_said_with_the_key_to_change(web: Website, server: WebServer) -> None:
    host, port = server.address
    second = WebServer(web.site, host, port)
    with pytest.raises(AlertsError, match=rf"{host}:{port}.*something else does.*web\.listen"):
        await second.start()
    await second.stop()


async def test_an_address_of_another_machine_is_said_too(web: Website) -> None:
    with pytest.raises(AlertsError, match=r"192\.0\.2\.1:8000.*web\.listen"):
        await WebServer(web.site, "192.0.2.1", 8000).start()


async def test_headers_without_end_are_refused(server: WebServer) -> None:
    answer = await raw(server, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * (4 * MAX_HEADER_BYTES))
    assert answer.startswith(b"HTTP/1.1 4")


async def test_a_request_that_is_none_is_refused(server: WebServer) -> None:
    assert (await raw(server, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")).startswith(b"HTTP/1.1 400")


async def test_a_body_that_never_comes_harms_nobody(server: WebServer) -> None:
    _, writer = await asyncio.open_connection(*server.address)
    writer.write(b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nleave")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await raw(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(
        b"HTTP/1.1 200"
    )


async def test_stopping_is_quick_with_an_idle_connection_open(web: Website) -> None:
    server = WebServer(web.site, "127.0.0.1", 0)
    await server.start()
    reader, writer = await asyncio.open_connection(*server.address)
    await asyncio.wait_for(server.stop(), 3)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
