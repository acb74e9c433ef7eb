"""The child that parses feeds and reads pages: jobs come on its stdin, answers go to its stdout; it may be killed.

Run as ``python -m alerts.sources.parse_worker``. A frame is four bytes of length and that many bytes: a job is two
frames (JSON with the URL and charset, then the body), an answer is JSON too: what the feed is, or the error, then a
frame for each item, so that who reads it never holds up its event loop for long. JSON, not pickle: a child that a
hostile feed took over can then only lie about feeds.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import BinaryIO

from alerts.core.errors import FetchError
from alerts.sources.extract import extract_page
from alerts.sources.feed import parse_feed
from alerts.sources.feed_links import find_feed_links

LENGTH = struct.Struct(">I")


def main() -> None:
    """Serve until stdin ends."""
    memory, seconds, cpu_seconds = map(int, sys.argv[1:])
    jobs = sys.stdin.buffer
    # What a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    limit_memory(memory)
    while (job := read_frame(jobs)) is not None:
        body = read_frame(jobs)
        if body is None:
            return
        alarm(seconds)
        limit_cpu(cpu_seconds)
        frames = [json.dumps(values).encode() for values in answer_to(json.loads(job), body)]
        alarm(0)
        for frame in frames:
            answers.write(LENGTH.pack(len(frame)) + frame)
        answers.flush()


def answer_to(job: Mapping[str, str | None], body: bytes) -> list[dict[str, object]]:
    """Do one job; whatever goes wrong becomes an answer: what it is, and a feed's items after that."""
    work = _WORK[job.get("work") or "parse"]
    what = "page" if work is _extract else "feed"
    try:
        return work(body, job["url"] or "", job["charset"])
    except FetchError as error:
        return [{"error": str(error)}]
    except MemoryError:
        return [{"error": f"the {what} needs more memory to read than a {what} may"}]
    except Exception as error:  # noqa: BLE001 - libraries may raise anything on hostile input; the kind tells enough
        return [{"error": f"the {what} cannot be read ({type(error).__name__})"}]


def _parse(body: bytes, url: str, charset: str | None) -> list[dict[str, object]]:
    parsed = parse_feed(body, url=url, charset=charset)
    items: list[dict[str, object]] = []
    for item in parsed.items:
        values = asdict(item)
        values["published_at"] = item.published_at and item.published_at.isoformat()
        items.append(values)
    ttl_s = None if parsed.ttl is None else parsed.ttl.total_seconds()  # a feed may be fresh for no time at all
    return [{"items": len(items), "ttl_s": ttl_s, "hub": parsed.links.hub, "topic": parsed.links.topic}, *items]


def _look(body: bytes, url: str, charset: str | None) -> list[dict[str, object]]:
    """Say whether it is a feed; else why not, and the feeds that it offers as a page."""
    try:
        parse_feed(body, url=url, charset=charset)
    except FetchError as error:
        links = [asdict(link) for link in find_feed_links(body, url=url, charset=charset)]
        return [{"is_feed": False, "reason": str(error), "links": links}]
    return [{"is_feed": True, "reason": None, "links": []}]


def _extract(body: bytes, _url: str, charset: str | None) -> list[dict[str, object]]:
    return [asdict(extract_page(body, charset=charset))]


_WORK = {"parse": _parse, "look": _look, "extract": _extract}


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame; None where the stream ends."""
    header = stream.read(LENGTH.size)
    if len(header) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(header)
    frame = stream.read(length)
    return frame if len(frame) == length else None


def limit_memory(limit: int) -> None:
    """Let the process have no more than ``limit`` bytes of address space, where the system can say so."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    with contextlib.suppress(ValueError, OSError):  # macOS refuses some limits
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_cpu(seconds: int) -> None:
    """Let the process use so many seconds of a processor from now on; the system kills it at the next one."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = math.ceil(used.ru_utime + used.ru_stime) + seconds
    with contextlib.suppress(ValueError, OSError):  # above what we may allow ourselves: that limit holds
        resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))


def alarm(seconds: int) -> None:
    """Die in so many seconds unless told otherwise: the parent that would kill us may be gone."""
    if sys.platform != "win32":
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
