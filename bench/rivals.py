"""What the whole path is compared with: smtp-source, the naive way, and our pipelined connection with ready bytes.

Each gets the same sinks, the same number of connections and mails of the same size. `smtp-source` keeps its connections
(`-d`), which is its fastest way, and is measured without that too. The other two run as processes of their own:

    python bench/rivals.py raw|naive --ports PORT,… --connections N --mails N --message FILE

and say ``ready``, wait for a line, send, and say how much processor time that took.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from itertools import count, islice
from pathlib import Path

import aiosmtplib
import jinja2
import uvloop
from sinks import RunningSink, postfix_tool

from alerts.core.deliveries import Reply, Result
from alerts.core.model import Envelope
from alerts.mail.opening import Endpoint, open_connection
from alerts.mail.timeouts import Timeouts

_SENDER = "alerts@daily.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a rival did."""

    mails: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.mails / self.seconds


def smtp_source(
    sinks: Sequence[RunningSink], *, connections: int, mails: int, message: Path, keep: bool = True
) -> Sent | None:
    """Send by Postfix's load generator, one process a sink; None where it is not installed.

    ``keep`` its connections from mail to mail, which is faster than what it does by itself.
    """
    tool = postfix_tool("smtp-source")
    if tool is None:
        return None
    lines = message.with_suffix(".lf")
    lines.write_bytes(message.read_bytes().replace(b"\r\n", b"\n"))
    each = mails // len(sinks)
    options = [
        *(["-d"] if keep else []),
        "-s",
        str(connections),
        "-m",
        str(each),
        "-f",
        _SENDER,
        "-t",
        "reader@d1.example",
    ]
    before, began = _children_cpu_s(), time.monotonic()
    running = [subprocess.Popen([tool, *options, "-F", str(lines), f"127.0.0.1:{sink.port}"]) for sink in sinks]
    for process in running:
        if process.wait():
            raise SystemExit(f"smtp-source failed with {process.returncode}")
    seconds = time.monotonic() - began
    return Sent(mails=each * len(sinks), seconds=seconds, cpu_s=_children_cpu_s() - before)


def raw(sinks: Sequence[RunningSink], *, connections: int, mails: int, message: Path) -> Sent:
    """Send ready bytes over our pipelined connections, one process a sink: no ledger, nothing to compose."""
    each = mails // len(sinks)
    return _together(
        [_rival("raw", [sink], connections=connections, mails=each, message=message) for sink in sinks],
        each * len(sinks),
    )


def naive(sinks: Sequence[RunningSink], *, connections: int, mails: int, message: Path) -> Sent:
    """Render, build and send each mail by itself, in one process, as a Python program usually does."""
    return _together([_rival("naive", sinks, connections=connections, mails=mails, message=message)], mails)


def _rival(
    kind: str, sinks: Sequence[RunningSink], *, connections: int, mails: int, message: Path
) -> subprocess.Popen[str]:
    ports = ",".join(str(sink.port) for sink in sinks)
    amounts = ("--connections", str(connections), "--mails", str(mails), "--message", str(message))
    command = [sys.executable, __file__, kind, "--ports", ports, *amounts]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _together(running: list[subprocess.Popen[str]], mails: int) -> Sent:
    """Start all at the same moment, once all are ready."""
    for process in running:
        _hear(process)
    began = time.monotonic()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    used = sum(float(_hear(process)) for process in running)
    seconds = time.monotonic() - began
    for process in running:
        process.communicate()
    return Sent(mails=mails, seconds=seconds, cpu_s=used)


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a rival ended early: {process.args!r}")
    return line


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _send_raw(ports: Sequence[int], connections: int, mails: Sequence[Envelope]) -> None:
    """Pump ready envelopes through pipelined connections."""
    waiting = iter(mails)

    async def take(_under_way: Envelope | None = None) -> Envelope | None:
        return next(waiting, None)

    async def tell(_envelope: Envelope, result: Result) -> None:
        if not isinstance(result, Reply) or result.code != 250:
            raise SystemExit(f"the sink refuses: {result}")

    async def connection(port: int) -> None:
        endpoint = Endpoint(host="127.0.0.1", port=port, tls="none", helo="daily.example")
        while (first := await take()) is not None:
            opened = await open_connection(endpoint, Timeouts(), share=1000)
            await opened.pump(first, take, tell)
            await opened.quit()

    async with asyncio.TaskGroup() as group:
        for port in ports:
            for _ in range(connections):
                group.create_task(connection(port))


def _ready(mails: int, message: bytes) -> list[Envelope]:
    """Make envelopes with bytes of their own, so that each is as cold in the caches as a composed one."""
    return [
        Envelope(
            delivery_id=number,
            sender=_SENDER,
            recipient=f"reader{number}@d{number % 997}.example",
            message=bytes(bytearray(message)),
        )
        for number in range(mails)
    ]


_TEXT = """{{ title }}

{% for line in lines %}{{ line }}

{% endfor %}You get this because you subscribed to {{ channel }}.
Unsubscribe: http://127.0.0.1:8000/u/{{ token }}
"""
_HTML = """<!DOCTYPE html><html><head><title>{{ title }}</title></head><body style="margin:0;padding:0">
<table role="presentation" width="100%"><tr><td style="padding:24px;font-family:sans-serif">
<h1 style="font-size:22px">{{ title }}</h1>
{% for line in lines %}<p style="margin:0 0 16px;font-size:16px;line-height:24px;color:#1a1a1a">{{ line }}</p>
{% endfor %}<p style="font-size:13px">You get this because you subscribed to {{ channel }}.
<a href="http://127.0.0.1:8000/u/{{ token }}">Unsubscribe</a></p></td></tr></table></body></html>
"""


async def _send_naive(ports: Sequence[int], connections: int, mails: int, size: int) -> None:
    """Render, build, send; as many connections as the others have."""
    environment = jinja2.Environment(autoescape=True)
    text, html = environment.from_string(_TEXT), environment.from_string(_HTML)
    line = "Xiaomi has begun to build cars in the second phase of its plant in the south of Beijing, it said on Monday."
    lines = [line] * max(1, (size - 1500) // 330)
    numbers = islice(count(1), mails)

    async def connection(port: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                about = {
                    "title": "Xiaomi opens its plant",
                    "lines": lines,
                    "channel": "Xiaomi",
                    "token": f"{number:043}",
                }
                message = EmailMessage()
                message["From"], message["To"] = f"EV Daily <{_SENDER}>", f"reader{number}@d{number % 997}.example"
                message["Subject"], message["Message-ID"] = about["title"], f"<{number}.f00d@daily.example>"
                message.set_content(text.render(about))
                message.add_alternative(html.render(about), subtype="html")
                await client.send_message(message)

    async with asyncio.TaskGroup() as group:
        for port in ports:
            for _ in range(connections):
                group.create_task(connection(port))


def _arguments() -> argparse.Namespace:
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("kind", choices=["raw", "naive"])
    reader.add_argument("--ports", type=lambda text: [int(port) for port in text.split(",")], required=True)
    reader.add_argument("--connections", type=int, required=True)
    reader.add_argument("--mails", type=int, required=True)
    reader.add_argument("--message", type=Path, required=True)
    return reader.parse_args()


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line


def main() -> None:
    """Be one of the rivals."""
    asked = _arguments()
    message = asked.message.read_bytes()
    mails = _ready(asked.mails, message) if asked.kind == "raw" else []
    print("ready", flush=True)
    next(_lines())
    used = time.process_time()
    if asked.kind == "raw":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_send_raw(asked.ports, asked.connections, mails))
    else:
        asyncio.run(_send_naive(asked.ports, asked.connections, asked.mails, len(message)))
    print(time.process_time() - used, flush=True)


if __name__ == "__main__":
    main()
