"""Who begins a request and does not end it, or ends it in two ways: nobody holds a connection for nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from website import Website, website

from alerts.storage.engine import Database
from alerts.web.guard import SAFE_HEADERS, Guard
from alerts.web.server import WebServer

SOON_S = 0.3
LATEST_S = 3.0
FORM = "Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"


async def _said(_request: Request, status: int) -> Response:
    return PlainTextResponse("no", status_code=status)


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime) -> AsyncIterator[Website]:
    async with website(sqlite_db, tmp_path, now) as web:
        yield web


@pytest.fixture
async def server(web: Website) -> AsyncIterator[WebServer]:
    """Serve the site to visitors in a hurry."""
    server = WebServer(Guard(web.site, error_page=_said, body_s=SOON_S), "127.0.0.1", 0, head_s=SOON_S)
    await server.start()
    yield server
    await server.stop()


async def until_closed(server: WebServer, sent: bytes, *, drops: bytes = b"") -> tuple[bytes, float]:
    """Send, go on a drop at a time, and return what came back and how long it took until the server hung up."""
    reader, writer = await asyncio.open_connection(*server.address)
    began = time.monotonic()
    writer.write(sent)

    async def drip() -> None:
        with contextlib.suppress(OSError):
            for drop in drops:
                await asyncio.sleep(SOON_S / 4)
                writer.write(bytes([drop]))
                await writer.drain()

    dripping = asyncio.create_task(drip())
    came = bytearray()
    with contextlib.suppress(ConnectionError):  # hung up with our drops still under way
        while piece := await asyncio.wait_for(reader.read(1 << 16), LATEST_S):
            came += piece
    took = time.monotonic() - began
    dripping.cancel()
    writer.close()
    return bytes(came), took


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHo"], ids=["silent", "half a head"])
async def test_a_request_whose_head_does_not_come_is_waited_for_only_so_long(server: WebServer, sent: bytes) -> None:
    came, took = await until_closed(server, sent)
    assert came == b""
    assert took >= SOON_S * 0.9


async def test_a_drop_at_a_time_does_not_hold_a_connection(server: WebServer) -> None:
    came, took = await until_closed(server, b"GET / HTTP/1.1\r\nX: ", drops=b"y" * 60)
    assert came == b""
    assert took < SOON_S * 4


async def test_the_second_request_of_a_connection_has_no_longer(server: WebServer) -> None:
    came, _ = await until_closed(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", drops=b"G" * 60)
    assert came.count(b"HTTP/1.1") == 1


async def test_a_body_that_comes_a_drop_at_a_time_is_refused(server: WebServer) -> None:
    head = f"POST /u/x HTTP/1.1\r\n{FORM}Content-Length: 100\r\n\r\n".encode()
    came, took = await until_closed(server, head, drops=b"a" * 60)
    assert came.startswith(b"HTTP/1.1 408")
    assert b"That took too long" in came
    assert took < SOON_S * 6


async def test_a_body_that_nobody_reads_holds_no_connection(server: WebServer) -> None:
    head = b"POST /m/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    came, took = await until_closed(server, head, drops=b"a" * 60)
    assert came.startswith(b"HTTP/1.1 404")
    assert took < SOON_S * 6


async def test_who_takes_time_and_ends_in_time_is_served(server: WebServer) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    for piece in (b"GET /heal", b"thz HTTP/1.1\r\n", b"Host: x\r\nConnection: close\r\n\r\n"):
        writer.write(piece)
        await asyncio.sleep(SOON_S / 6)
    assert (await asyncio.wait_for(reader.read(), LATEST_S)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_a_request_with_two_ends_is_refused_and_what_may_be_hidden_in_it_is_not_served(server: WebServer) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"POST /u/x HTTP/1.1\r\n{FORM}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
    came, _ = await until_closed(server, head + hidden)
    assert came.startswith(b"HTTP/1.1 400")
    assert came.count(b"HTTP/1.1") == 1


async def test_even_what_is_no_http_gets_our_headers(server: WebServer) -> None:
    came, _ = await until_closed(server, b"GET /a b HTTP/1.1\r\n\r\n")
    assert came.startswith(b"HTTP/1.1 400")
    lines = came.decode().lower().split("\r\n")
    assert [f"{name}: {value}".lower() in lines for name, value in SAFE_HEADERS.items()] == [True] * len(SAFE_HEADERS)
