from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from feed_server import FeedServer, Request, answer, hang
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import FetchError, RefusedTargetError
from alerts.sources.bodies import read_body
from alerts.sources.fetch import MAX_REDIRECTS, Fetcher, Limits, retry_after
from alerts.sources.targets import Resolver, is_refused

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FEED = b"<rss version='2.0'><channel><title>News</title></channel></rss>"
SHORT = Limits(
    connect=timedelta(seconds=1),
    silence=timedelta(milliseconds=200),
    total=timedelta(milliseconds=600),
    body=100_000,
)


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with FeedServer() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(about="https://ev.example", limits=SHORT) as opened:
        yield opened


class Names(AbstractResolver):
    """A name server that gives the next list of addresses each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None: ...


class TestAnswers:
    async def test_a_feed_comes_with_what_the_next_request_needs(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(
            FEED,
            etag='"v1"',
            last_modified="Mon, 05 Jan 2026 10:00:00 GMT",
            cache_control="public, max-age=600",
            content_type="application/rss+xml; charset=ISO-8859-1",
        )

        fetched = await fetcher.fetch(server.url(), allow_private=True)

        assert fetched.body == FEED
        assert (fetched.etag, fetched.last_modified) == ('"v1"', "Mon, 05 Jan 2026 10:00:00 GMT")
        assert (fetched.charset, fetched.fresh_for) == ("ISO-8859-1", timedelta(minutes=10))
        assert (fetched.url, fetched.moved_to) == (server.url(), None)

    @pytest.mark.parametrize("odd", [b"\xff\xfe", "é".encode(), b"x" * 2000])
    async def test_a_validator_that_cannot_be_kept_is_dropped(
        self, server: FeedServer, fetcher: Fetcher, odd: bytes
    ) -> None:
        server.pages["/feed"] = answer(FEED).replace(b"\r\n\r\n", b"\r\nETag: " + odd + b"\r\n\r\n", 1)

        assert (await fetcher.fetch(server.url(), allow_private=True)).etag is None

    async def test_we_say_who_we_are_and_ask_for_feeds(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(FEED)

        await fetcher.fetch(server.url(), allow_private=True)

        headers = server.requests[0].headers
        assert headers["user-agent"].startswith("News-Alert/")
        assert "https://ev.example" in headers["user-agent"]
        assert "rss" in headers["accept"]
        assert "if-none-match" not in headers

    async def test_what_did_not_change_is_not_sent_again(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="304 Not Modified")

        fetched = await fetcher.fetch(server.url(), etag='"v1"', last_modified="yesterday", allow_private=True)

        headers = server.requests[0].headers
        assert (headers["if-none-match"], headers["if-modified-since"]) == ('"v1"', "yesterday")
        assert fetched.body is None

    async def test_a_304_that_nobody_asked_for_is_an_error(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="304 Not Modified")

        with pytest.raises(FetchError, match="304"):
            await fetcher.fetch(server.url(), allow_private=True)

    @pytest.mark.parametrize(
        ("status", "words"),
        [("500 Oops", "failed"), ("404 No", "no feed there"), ("401 No", "password"), ("403 No", "refuses")],
    )
    async def test_another_status_is_explained(
        self, server: FeedServer, fetcher: Fetcher, status: str, words: str
    ) -> None:
        server.pages["/feed"] = answer(FEED, status=status)

        with pytest.raises(FetchError, match=words) as caught:
            await fetcher.fetch(server.url(), allow_private=True)

        assert not caught.value.permanent

    async def test_gone_is_gone(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="410 Gone")

        with pytest.raises(FetchError, match="gone for good") as caught:
            await fetcher.fetch(server.url(), allow_private=True)

        assert caught.value.permanent

    @pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Busy"])
    async def test_a_server_says_when_to_come_back(self, server: FeedServer, fetcher: Fetcher, status: str) -> None:
        server.pages["/feed"] = answer(status=status, retry_after="120")

        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(server.url(), allow_private=True)

        assert caught.value.retry_after == timedelta(seconds=120)

    async def test_a_user_in_the_url_is_sent_and_never_shown(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="302 Found", location="/private")
        server.pages["/private"] = answer(status="500 Oops")

        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(server.url().replace("//", "//alice:secret@"), allow_private=True)

        assert [request.headers["authorization"][:6] for request in server.requests] == ["Basic ", "Basic "]
        assert "secret" not in str(caught.value)

    async def test_no_cookie_is_kept(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(FEED, set_cookie="id=1; Path=/")

        await fetcher.fetch(server.url(), allow_private=True)
        await fetcher.fetch(server.url(), allow_private=True)

        assert "cookie" not in server.requests[1].headers


class TestLimits:
    async def test_a_server_that_hangs_is_left(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = hang

        with pytest.raises(FetchError, match="did not answer"):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_a_server_that_drips_is_left(self, server: FeedServer, fetcher: Fetcher) -> None:
        async def drip(_request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)

        server.pages["/feed"] = drip

        with pytest.raises(FetchError, match=r"in full within 0\.6 s"):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_one_that_hangs_delays_no_other(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/hang"] = hang
        server.pages["/feed"] = answer(FEED)
        hanging = asyncio.create_task(fetcher.fetch(server.url("/hang"), allow_private=True))

        fetched = await asyncio.wait_for(fetcher.fetch(server.url(), allow_private=True), timeout=0.5)

        assert fetched.body == FEED
        with pytest.raises(FetchError):
            await hanging

    @pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
    async def test_a_body_that_is_too_large_is_dropped(
        self, server: FeedServer, fetcher: Fetcher, *, declared: bool
    ) -> None:
        body = b"x" * 100_001
        server.pages["/feed"] = answer(body) if declared else b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body

        with pytest.raises(FetchError, match="larger than"):
            await fetcher.fetch(server.url(), allow_private=True)

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    async def test_a_bomb_is_dropped_before_it_unfolds(
        self, server: FeedServer, fetcher: Fetcher, encoding: str
    ) -> None:
        unfolded = b"\0" * 30_000_000
        bomb = gzip.compress(unfolded, 1, mtime=0) if encoding == "gzip" else zlib.compress(unfolded, 1)
        server.pages["/feed"] = answer(bomb, content_encoding=encoding)

        with pytest.raises(FetchError, match="larger than"):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_a_body_that_breaks_off_is_no_feed(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(FEED)[:-10]

        with pytest.raises(FetchError, match="breaks off"):
            await fetcher.fetch(server.url(), allow_private=True)

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
            b"SSH-2.0-OpenSSH_9.7\r\n",
            b"",
            b"\0" * 1000,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
        ids=["huge header", "many headers", "another protocol", "nothing", "zeros", "bad chunk"],
    )
    async def test_what_is_not_http_is_an_error(self, server: FeedServer, fetcher: Fetcher, raw: bytes) -> None:
        server.pages["/feed"] = raw

        with pytest.raises(FetchError):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_a_port_where_nobody_listens_is_an_error(self, fetcher: Fetcher) -> None:
        async with FeedServer() as server:
            url = server.url()

        with pytest.raises(FetchError, match="cannot be reached"):
            await fetcher.fetch(url, allow_private=True)

    async def test_a_name_that_nobody_knows_is_an_error(self) -> None:
        async with Fetcher(limits=Limits()) as fetcher:
            with pytest.raises(FetchError, match=r"name nowhere\.invalid is not known"):
                await fetcher.fetch("http://nowhere.invalid/feed")

    async def test_tls_that_is_none_is_an_error(self, server: FeedServer, fetcher: Fetcher) -> None:
        with pytest.raises(FetchError):
            await fetcher.fetch(server.url().replace("http:", "https:"), allow_private=True)


class TestEncodings:
    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", gzip.compress(FEED, mtime=0)),
            ("x-gzip", gzip.compress(FEED, mtime=0)),
            ("GZIP", gzip.compress(FEED[:20], mtime=0) + gzip.compress(FEED[20:], mtime=0)),
            ("gzip", gzip.compress(FEED, mtime=0) + b"\0" * 100),
            ("deflate", zlib.compress(FEED)),
            ("deflate", zlib.compress(FEED, wbits=-15)),
            ("identity", FEED),
        ],
    )
    async def test_compression_comes_off(
        self, server: FeedServer, fetcher: Fetcher, encoding: str, body: bytes
    ) -> None:
        server.pages["/feed"] = answer(body, content_encoding=encoding)

        assert (await fetcher.fetch(server.url(), allow_private=True)).body == FEED

    @pytest.mark.parametrize(
        ("encoding", "body", "words"),
        [
            ("br", b"\x0b\x02\x80", "did not ask for"),
            ("gzip, gzip", gzip.compress(gzip.compress(FEED, mtime=0), mtime=0), "did not ask for"),
            ("gzip", b"not gzip", "damaged"),
            ("gzip", gzip.compress(FEED, mtime=0)[:-4], "breaks off"),
        ],
    )
    async def test_other_encodings_are_errors(
        self, server: FeedServer, fetcher: Fetcher, encoding: str, body: bytes, words: str
    ) -> None:
        server.pages["/feed"] = answer(body, content_encoding=encoding)

        with pytest.raises(FetchError, match=words):
            await fetcher.fetch(server.url(), allow_private=True)

    @given(st.binary(max_size=2000), st.integers(1, 50), st.sampled_from(["gzip", "deflate", "", "raw"]))
    async def test_a_body_is_the_same_in_whatever_pieces_it_comes(self, body: bytes, size: int, encoding: str) -> None:
        packed = {
            "gzip": gzip.compress(body, mtime=0),
            "deflate": zlib.compress(body),
            "raw": zlib.compress(body, wbits=-15),
            "": body,
        }[encoding]

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(packed), size):
                yield packed[start : start + size]

        assert await read_body(pieces(), encoding="deflate" if encoding == "raw" else encoding) == body


class TestRedirects:
    async def test_a_way_is_followed_and_what_moved_for_good_is_said(
        self, server: FeedServer, fetcher: Fetcher
    ) -> None:
        server.pages["/old"] = answer(status="301 Moved", location="/older#top")
        server.pages["/older"] = answer(status="308 Moved", location=server.url())
        server.pages["/feed"] = answer(FEED)

        fetched = await fetcher.fetch(server.url("/old"), allow_private=True)

        assert (fetched.body, fetched.url, fetched.moved_to) == (FEED, server.url(), server.url())

    @pytest.mark.parametrize("status", ["302 Found", "303 See Other", "307 Temporary Redirect"])
    async def test_what_is_elsewhere_for_now_has_not_moved(
        self, server: FeedServer, fetcher: Fetcher, status: str
    ) -> None:
        server.pages["/old"] = answer(status=status, location="//127.0.0.1:" + str(server.port) + "/older")
        server.pages["/older"] = answer(status="301 Moved", location="feed")
        server.pages["/feed"] = answer(FEED)

        fetched = await fetcher.fetch(server.url("/old"), allow_private=True)

        assert (fetched.body, fetched.moved_to) == (FEED, None)

    async def test_a_circle_ends(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="302 Found", location="/feed")

        with pytest.raises(FetchError, match="more than 5 redirects"):
            await fetcher.fetch(server.url(), allow_private=True)

        assert len(server.requests) == MAX_REDIRECTS + 1

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://a.example/", "javascript:1", "http://[x"])
    async def test_a_way_off_the_web_is_refused(self, server: FeedServer, fetcher: Fetcher, location: str) -> None:
        server.pages["/feed"] = answer(status="302 Found", location=location)

        with pytest.raises(RefusedTargetError):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_a_redirect_to_nowhere_is_an_error(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(status="302 Found")

        with pytest.raises(FetchError, match="without saying where"):
            await fetcher.fetch(server.url(), allow_private=True)

    async def test_credentials_stay_with_the_server_they_are_for(self, server: FeedServer, fetcher: Fetcher) -> None:
        async with FeedServer() as other:
            server.pages["/feed"] = answer(status="302 Found", location=other.url().replace("//", "//eve:x@"))
            other.pages["/feed"] = answer(FEED)

            fetched = await fetcher.fetch(server.url().replace("//", "//alice:secret@"), allow_private=True)

            assert fetched.body == FEED
            assert "authorization" not in other.requests[0].headers


class TestTargets:
    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "127.8.8.8", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
            *("100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
            *("255.255.255.255", "168.63.129.16", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254"),
            *("ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "64:ff9b::7f00:1"),
            *("64:ff9b::808:808", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:53aa:64c::", "2001:db8::1", "", "localhost"),
        ],
    )
    def test_inside_is_refused(self, address: str) -> None:
        assert is_refused(address)

    @pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
    def test_outside_is_not(self, address: str) -> None:
        assert not is_refused(address)

    @pytest.mark.parametrize(
        "host",
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0", "127.1", "2130706433", "0x7f.1"],
    )
    async def test_no_way_of_writing_loopback_leads_there(
        self, server: FeedServer, fetcher: Fetcher, host: str
    ) -> None:
        server.pages["/feed"] = answer(FEED)

        with pytest.raises(FetchError):
            await fetcher.fetch(server.url(host=host))

        assert server.requests == []

    async def test_the_refusal_says_what_to_do(self, server: FeedServer, fetcher: Fetcher) -> None:
        with pytest.raises(RefusedTargetError, match="allow_private"):
            await fetcher.fetch(server.url())

    async def test_a_redirect_inwards_is_refused(self, server: FeedServer) -> None:
        names = Names(["127.0.0.1"])
        async with Fetcher(limits=SHORT, resolver=names) as fetcher:
            with pytest.raises(RefusedTargetError):
                await fetcher.fetch(server.url(host="feeds.example"))
        assert server.requests == []

    async def test_a_name_that_turns_inwards_between_two_looks_is_refused(self, server: FeedServer) -> None:
        # Whatever a look before the fetch had said, what counts is where the connection goes.
        names = Names(["127.0.0.2", "127.0.0.1"], ["127.0.0.1"])
        async with Fetcher(limits=SHORT, resolver=names) as fetcher:
            for _ in range(3):
                with pytest.raises(RefusedTargetError):
                    await fetcher.fetch(server.url(host="feeds.example"))
        assert server.requests == []

    async def test_an_allowed_feed_opens_the_way_for_no_other(self, server: FeedServer, fetcher: Fetcher) -> None:
        server.pages["/feed"] = answer(FEED)[:15] + b"\r\nContent-Length: 63\r\n\r\n" + FEED
        await fetcher.fetch(server.url(), allow_private=True)

        with pytest.raises(RefusedTargetError):
            await fetcher.fetch(server.url())

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://a.example/", "", "news", "http://", "http://a.example:0x/", "http://[x"]
    )
    async def test_only_web_addresses_are_fetched(self, fetcher: Fetcher, url: str) -> None:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(url)

        assert caught.value.permanent


async def test_names_are_looked_up_without_anybody_waiting_for_the_thread() -> None:
    found = await Resolver().resolve("localhost", 80)

    assert "127.0.0.1" in {one["host"] for one in found}


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("99999999999999999999", timedelta(days=365)),
        ("Mon, 05 Jan 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon, 05 Jan 2026 12:05:00", timedelta(minutes=5)),
        ("Mon, 05 Jan 2026 11:00:00 GMT", None),
        ("Mon, 05 Jan 9999 12:00:00 GMT", timedelta(days=365)),
        ("soon", None),
        ("-5", None),
        ("١٢", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str | None, wait: timedelta | None) -> None:
    assert retry_after(value, now=NOON) == wait


@given(st.text())
def test_retry_after_takes_anything(value: str) -> None:
    retry_after(value, now=NOON)
