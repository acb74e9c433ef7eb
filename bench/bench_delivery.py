"""The whole path, from an article's row to the outcome of its last mail, beside what else could send those mails.

    python bench/bench_delivery.py [--quick] [--runs N] [--large-runs N] [--sinks N] [--connections N] [--ours] [--dry]

Rivals and path take turns on the same sinks, so that whatever else the machine does hits all of them; the ratios are
those of one turn, and the median of the turns is what counts. The sinks run on the same cores. ``--quick`` only shows
that it runs; without it, the tables go into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import report
import rivals
from installation import Installation, Run
from rivals import Sent
from sinks import RunningSink, sinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything."""

    small: int = 20_000  # readers of the first channel
    large: int = 100_000  # readers of the second
    turns: int = 5
    large_turns: int = 3
    naive: int = 1_000  # mails: it is slow, and as slow with more


QUICK = Sizes(small=200, large=400, turns=1, large_turns=1, naive=20)


@dataclass(slots=True)
class Turn:
    """One turn of each."""

    path: Run
    rivals: dict[str, Sent] = field(default_factory=dict)


def main() -> None:
    """Measure, print, and keep it in the manual unless it was only a try."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    reader.add_argument("--quick", action="store_true", help="tiny numbers; nothing is written")
    reader.add_argument("--runs", type=int, default=5, help="turns of the small size")
    reader.add_argument("--large-runs", type=int, default=3, help="turns of the large size")
    reader.add_argument("--sinks", type=int, default=2)
    reader.add_argument("--connections", type=int, default=32, help="to each sink")
    reader.add_argument("--ours", action="store_true", help="our own sink, also where Postfix's is there")
    reader.add_argument("--dry", action="store_true", help="print only")
    asked = reader.parse_args()
    sizes = QUICK if asked.quick else Sizes(turns=asked.runs, large_turns=asked.large_runs)
    folder = Path(tempfile.mkdtemp(prefix="alerts-bench-"))
    with sinks(asked.sinks, ours=asked.ours) as running:
        text = asyncio.run(_measure(folder, running, sizes, connections=asked.connections))
    shutil.rmtree(folder)  # what failed stays, to be looked at
    print(text)
    if not (asked.quick or asked.dry):
        report.keep("delivery", text)


async def _measure(folder: Path, running: Sequence[RunningSink], sizes: Sizes, *, connections: int) -> str:
    """Take the turns and lay out what they gave."""
    place = Installation(
        folder, running, connections=connections, channels={"small": sizes.small, "large": sizes.large}
    )
    await place.prepare()
    message = folder / "message.eml"
    message.write_bytes(place.example("small"))
    async with place:
        await place.deliver("small")  # the first opens files, compiles, warms up; it does not count
        small = [await _turn(place, "small", running, sizes, connections, message) for _ in range(sizes.turns)]
        large = [await _turn(place, "large", running, sizes, connections, message) for _ in range(sizes.large_turns)]
    head = (
        f"{report.machine()}. {len(running)} sinks ({running[0].name}), {connections} connections to each, "
        f"mails of {message.stat().st_size:,} octets; the sinks use the same cores."
    )
    return "\n\n".join([head, _rates(small, large), _waits(small + large)])


async def _turn(  # noqa: PLR0917 - one of each
    place: Installation, slug: str, running: Sequence[RunningSink], sizes: Sizes, connections: int, message: Path
) -> Turn:
    """Let the path and each rival send once."""
    turn = Turn(path=await place.deliver(slug))
    print(f"  {slug}: {turn.path.rate:,.0f}/s", flush=True)
    if found := rivals.smtp_source(running, connections=connections, mails=sizes.small, message=message):
        turn.rivals["smtp-source"] = found
    if found := rivals.smtp_source(running, connections=connections, mails=sizes.small, message=message, keep=False):
        turn.rivals["smtp-source as it comes"] = found
    turn.rivals["raw"] = rivals.raw(running, connections=connections, mails=sizes.small, message=message)
    if slug == "small":
        turn.rivals["naive"] = rivals.naive(running, connections=connections, mails=sizes.naive, message=message)
    for name, sent in turn.rivals.items():
        print(f"    {name}: {sent.rate:,.0f}/s", flush=True)
    return turn


_NAMES = {
    "smtp-source": "Postfix's `smtp-source -d`, C: connections are kept",
    "smtp-source as it comes": "Postfix's `smtp-source`, C: a connection a mail",
    "raw": "our pipelined connections, ready bytes, no ledger",
    "naive": "Jinja2 + EmailMessage + aiosmtplib `send_message`, one process",
}
_GOALS = {"smtp-source": 1.2, "raw": 0.85, "naive": 25.0}


def _rates(small: Sequence[Turn], large: Sequence[Turn]) -> str:
    """Lay out who sends how fast."""
    rows = [
        _path_row(small, "whole path"),
        *([_path_row(large, "whole path")] if large else []),
        *(_rival_row(small, name) for name in _NAMES if name in small[0].rivals),
    ]
    for turns in filter(None, (small, large)):
        readers = f"{turns[0].path.readers:,}"
        for name, goal in _GOALS.items():
            if name in turns[0].rivals:
                ratio = statistics.median(turn.path.rate / turn.rivals[name].rate for turn in turns)
                rows.append([f"**whole path of {readers} ÷ {name}** (goal {goal:g})", f"**{ratio:.2f} ×**", "", "", ""])
    return report.table(["", "mails/s, median", "runs", "spread", "processor µs a mail"], rows)


def _path_row(turns: Sequence[Turn], name: str) -> list[str]:
    runs = [turn.path for turn in turns]
    return _row(f"{name}, {runs[0].readers:,} readers", [(it.rate, it.cpu_s / it.readers) for it in runs])


def _rival_row(turns: Sequence[Turn], name: str) -> list[str]:
    sent = [turn.rivals[name] for turn in turns]
    return _row(_NAMES[name], [(it.rate, it.cpu_s / it.mails) for it in sent])


def _row(name: str, measured: Sequence[tuple[float, float]]) -> list[str]:
    rates = [rate for rate, _ in measured]
    cost = statistics.median(cost for _, cost in measured)
    return [name, f"{statistics.median(rates):,.0f}", str(len(rates)), report.spread(rates), f"{cost * 1e6:,.0f}"]


def _waits(turns: Sequence[Turn]) -> str:
    """Lay out how long somebody waits."""
    first = [turn.path.first_mail_s for turn in turns]
    confirmed = [turn.path.confirmation_s for turn in turns if turn.path.confirmation_s is not None]
    rows = [["article committed to first mail accepted (goal 300 ms)", *_times(first)]]
    if confirmed:
        rows.append(["a confirmation asked for during the fan-out, to accepted (goal 1 s)", *_times(confirmed)])
    return report.table(["", "median", "runs", "longest"], rows)


def _times(values: Sequence[float]) -> list[str]:
    return [f"{statistics.median(values) * 1e3:,.0f} ms", str(len(values)), f"{max(values) * 1e3:,.0f} ms"]


if __name__ == "__main__":
    main()
