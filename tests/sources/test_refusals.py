"""What hostile servers try: ways back inside, answers without end, documents that unfold."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from feed_server import FeedServer, Request, Respond, answer

from alerts.core.errors import FetchError, RefusedTargetError
from alerts.sources import targets
from alerts.sources.feed import parse_feed
from alerts.sources.fetch import Fetcher, Limits

FEED = b"<rss version='2.0'><channel><title>News</title></channel></rss>"
SHORT = Limits(
    connect=timedelta(seconds=1),
    silence=timedelta(milliseconds=300),
    total=timedelta(milliseconds=700),
    body=100_000,
)
URL = "https://news.example/feed.xml"


class Names(AbstractResolver):
    """A name server that gives the same addresses for every name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.1, where the server of the test is, count as outside; all other addresses are judged as ever."""
    judged: Callable[[str], bool] = targets.is_refused
    monkeypatch.setattr(targets, "is_refused", lambda address: address != "127.0.0.1" and judged(address))


class TestWaysInside:
    @pytest.mark.usefixtures("outside")
    @pytest.mark.parametrize(
        "host",
        [
            *("127.0.0.2", "127.2", "2130706434", "0x7f000002", "0x7f.0.0.2", "0177.0.0.2", "017700000002"),
            *("0.0.0.0", "0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),  # noqa: S104 - to be refused
            "[0:0:0:0:0:ffff:7f00:2]",
            *("169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "10.0.0.1", "100.100.100.200", "[64:ff9b::7f00:1]"),
            *("①②⑦.⓪.⓪.②", "127。0。0。2", "127.0.0.2.", "[::1%25lo]"),
        ],
    )
    async def test_a_server_outside_redirects_to_nothing_inside(self, server: FeedServer, host: str) -> None:
        server.pages["/feed"] = answer(status="302 Found", location=f"http://{host}:{server.port}/inside")
        server.pages["/inside"] = answer(FEED)

        async with Fetcher(limits=SHORT) as fetcher:
            with pytest.raises(FetchError):
                await fetcher.fetch(server.url())

        assert [request.path for request in server.requests] == ["/feed"]

    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "10.1.2.3", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
            "0.0.0.0",  # noqa: S104 - to be refused
            *("255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "168.63.129.16", "192.88.99.1"),
            *("::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "fe80::1", "fc00::1", "fec0::1", "ff02::1"),
            *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2001:0:0:1::1", "2001:db8::1", "3fff::1"),
            *("::127.0.0.1", "::ffff:0:7f00:1", "2001:20::1", "2001:4:112::1", "5f00::1", "100::1", "100:0:0:1::1"),
        ],
    )
    async def test_a_name_leads_to_no_address_inside(self, address: str) -> None:
        async with Fetcher(limits=SHORT, resolver=Names(address)) as fetcher:
            with pytest.raises(RefusedTargetError):
                await fetcher.fetch("http://feeds.example/")

    @pytest.mark.usefixtures("outside")
    async def test_of_a_name_with_addresses_on_both_sides_only_the_one_outside_is_dialled(
        self, server: FeedServer
    ) -> None:
        server.pages["/feed"] = answer(FEED)
        async with FeedServer() as inside, Fetcher(limits=SHORT, resolver=Names("::1", "127.0.0.1")) as fetcher:
            assert (await fetcher.fetch(server.url(host="feeds.example"))).body == FEED
            assert inside.requests == []


def endless(head: bytes, piece: bytes, *, pause_s: float = 0.0) -> Respond:
    """Answer with ``head`` and then the same piece again and again."""

    async def respond(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return respond


def zeros_without_end() -> Respond:
    async def respond(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        for _ in itertools.count():
            writer.write(packer.compress(b"\0" * 1_000_000) + packer.flush(zlib.Z_SYNC_FLUSH))
            await writer.drain()
            await asyncio.sleep(0)  # the client is in this loop too

    return respond


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestAnswersWithoutEnd:
    @pytest.mark.parametrize(
        "page",
        [
            endless(CHUNKED, b"400\r\n" + b"x" * 1024 + b"\r\n"),
            endless(CHUNKED, b"1\r\nx\r\n" * 100),
            endless(CHUNKED, b"1\r\nx\r\n", pause_s=0.05),
            endless(CHUNKED, b"1;" + b"e" * 10_000),
            endless(CHUNKED + b"0\r\n", b"X-Trailer: y\r\n" * 100),
            endless(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x" * 1024),
            endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: y\r\n" * 100),
            endless(b"HTTP/1.1 200 OK\r\nX-Header: ", b"y" * 1024),
            endless(b"HTTP/1.1 200 OK\r\nX-Header: ", b"y", pause_s=0.05),
            endless(b"HTTP/1.1 2", b"0"),
            endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 10),
            endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause_s=0.05),
            zeros_without_end(),
        ],
        ids=[
            "chunks",
            "tiny chunks",
            "dripping chunks",
            "chunk extension",
            "trailers",
            "body",
            "headers",
            "long header",
            "dripping header",
            "status line",
            "hints",
            "dripping continues",
            "gzip",
        ],
    )
    async def test_each_is_left_in_time_and_holds_up_nobody_else(self, server: FeedServer, page: Respond) -> None:
        server.pages["/feed"] = page
        async with Fetcher(limits=SHORT) as fetcher:
            began = time.monotonic()
            with pytest.raises(FetchError):
                await asyncio.wait_for(fetcher.fetch(server.url(), allow_private=True), timeout=5)

        assert time.monotonic() - began < 4


class TestAnswersOfManyParts:
    @pytest.mark.parametrize("pieces", [1, 400_000])
    async def test_an_archive_of_endless_empty_archives_is_dropped_at_once(
        self, server: FeedServer, pieces: int
    ) -> None:
        server.pages["/feed"] = answer(gzip.compress(b"") * pieces + gzip.compress(FEED), content_encoding="gzip")
        began = time.process_time()
        async with Fetcher() as fetcher:
            if pieces == 1:
                assert (await fetcher.fetch(server.url(), allow_private=True)).body == FEED
            else:
                with pytest.raises(FetchError, match="damaged"):
                    await fetcher.fetch(server.url(), allow_private=True)

        assert time.process_time() - began < 0.5

    @pytest.mark.parametrize(
        ("head", "is_read"),
        [
            (f"Content-Length: {len(FEED) - 9}", False),
            (f"Content-Length: {len(FEED) + 9}", False),
            ("Content-Length: -5", False),
            (f"Content-Length: {len(FEED)}\r\nContent-Length: 5", False),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", False),
            (f"X-Note: one\r\n  two\r\nContent-Length: {len(FEED)}", True),
            ("Connection: close", True),
        ],
    )
    async def test_a_length_that_lies_is_no_feed(self, server: FeedServer, head: str, *, is_read: bool) -> None:
        server.pages["/feed"] = f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + FEED
        async with Fetcher(limits=SHORT) as fetcher:
            if is_read:
                assert (await fetcher.fetch(server.url(), allow_private=True)).body == FEED
            else:
                with pytest.raises(FetchError):
                    await fetcher.fetch(server.url(), allow_private=True)


def in_rss(title: str, *, doctype: str) -> bytes:
    return (
        f"<?xml version='1.0'?>{doctype}<rss version='2.0'><channel><title>News</title>"
        f"<item><title>{title}</title><guid>1</guid></item></channel></rss>"
    ).encode()


def unfolding() -> Iterator[bytes]:
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    yield in_rss("a &l11; b", doctype=f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}]>')
    yield in_rss("a " + "&q;" * 5_000, doctype=f'<!DOCTYPE x [<!ENTITY q "{"q" * 50_000}">]>')
    yield in_rss("a &f; b", doctype='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>')
    yield in_rss("a &f; b", doctype='<!DOCTYPE x SYSTEM "file:///etc/passwd">')
    yield in_rss("a b", doctype='<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>')
    laughs = in_rss("a &l11; &f; b", doctype=f'<!DOCTYPE x [<!ENTITY l0 "lol">{lol}<!ENTITY f SYSTEM "/etc/passwd">]>')
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-7"):
        yield laughs.decode().replace("'1.0'", f"'1.0' encoding='{encoding}'").encode(encoding)
    yield in_rss("<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='/etc/passwd'/>a", doctype="")


class TestDocumentsThatUnfold:
    @pytest.mark.parametrize(
        "body",
        list(unfolding()),
        ids=[
            *("laughs", "quadratic", "entity", "subset", "parameter"),
            *("utf-16", "utf-16 without a mark", "utf-32", "utf-7", "xinclude"),
        ],
    )
    def test_nothing_unfolds_and_no_file_is_read(self, body: bytes) -> None:
        began = time.process_time()
        try:
            text = repr(parse_feed(body, url=URL))
        except FetchError:
            text = ""

        assert len(text) < 60_000
        assert "root:" not in text
        assert time.process_time() - began < 2

    async def test_nothing_outside_is_asked_for(self, server: FeedServer) -> None:
        place = server.url("/dtd")
        doctype = f'<!DOCTYPE x SYSTEM "{place}" [<!ENTITY f SYSTEM "{place}"><!ENTITY % p SYSTEM "{place}"> %p;]>'

        with_entity = await asyncio.to_thread(parse_feed, in_rss("a &f; b", doctype=doctype), url=server.url())

        assert len(with_entity.items) == 1
        assert server.requests == []

    @pytest.mark.parametrize(
        "body",
        [b"[" * 500_000, b'{"items":' * 100_000, b'{"items": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"],
        ids=["lists", "objects", "an item"],
    )
    def test_json_that_is_nested_without_end_is_an_error(self, body: bytes) -> None:
        with pytest.raises(FetchError):
            parse_feed(body, url=URL)
