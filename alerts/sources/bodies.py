"""Take compression off an answer, counting what comes out, so that a bomb is dropped before it unfolds."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

from alerts.core.errors import FetchError
from alerts.sources.room import LARGE

MAX_BODY = 10 * 1024 * 1024  # decoded bytes of a feed
ACCEPTED = "gzip, deflate"

_MOST_MEMBERS = 1_000  # of a gzip stream; tools that part one do so every 64 KiB
_GZIP_HEADER = 16 + zlib.MAX_WBITS
_ZLIB = 8  # the low half of the first byte of a zlib stream (RFC 1950); some servers send deflate without its wrapper


async def read_body(
    chunks: AsyncIterator[bytes],
    *,
    encoding: str,
    limit: int = MAX_BODY,
    what: str = "feed",
    when_large: Callable[[], Awaitable[None]] | None = None,
) -> bytes:
    """Return the decoded body; raise FetchError if it is too large, damaged, cut off, or encoded some other way.

    ``when_large`` is waited for before more than a few hundred KiB of it are kept.
    """
    decoder = _decoder(encoding)
    body = bytearray()
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        try:
            body += decoder.feed(chunk, room=limit + 1 - len(body))
        except zlib.error as error:
            raise FetchError(f"the answer says it is {encoding}, but it is damaged") from error
        if max(came, len(body)) > limit:
            raise FetchError(f"the {what} is larger than {limit / (1024 * 1024):g} MiB")
        if when_large is not None and len(body) > LARGE:
            await when_large()
            when_large = None
    decoder.finish()
    return bytes(body)


class _Plain:
    def feed(self, chunk: bytes, *, room: int) -> bytes:
        return chunk[:room]

    def finish(self) -> None: ...


class _Inflating:
    """A gzip or deflate stream; gzip may have several members one after the other (RFC 1952)."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def feed(self, chunk: bytes, *, room: int) -> bytes:
        out = bytearray()
        while chunk and len(out) < room:
            if self._stream is None or (self._stream.eof and self._encoding == "gzip" and chunk[:1] == b"\x1f"):
                self._members += 1
                if self._members > _MOST_MEMBERS:
                    raise zlib.error("too many members")
                self._stream = zlib.decompressobj(self._window(chunk[0]))
            elif self._stream.eof:
                break  # padding after the end
            out += self._stream.decompress(chunk, room - len(out))
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
        return bytes(out)

    def finish(self) -> None:
        if self._stream is not None and not self._stream.eof:
            raise FetchError("the answer breaks off before its end")

    def _window(self, first: int) -> int:
        if self._encoding == "gzip":
            return _GZIP_HEADER
        return zlib.MAX_WBITS if first & 0x0F == _ZLIB else -zlib.MAX_WBITS


def _decoder(encoding: str) -> _Plain | _Inflating:
    encoding = encoding.strip().lower().removeprefix("x-")
    if encoding in {"", "identity"}:
        return _Plain()
    if encoding in {"gzip", "deflate"}:
        return _Inflating(encoding)
    raise FetchError(f"the answer is encoded as {encoding[:40]!r}, which we did not ask for")
