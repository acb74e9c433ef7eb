"""The benches run; how fast is not asked here."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BENCHES = sorted((REPOSITORY / "bench").glob("bench_*.py"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("bench", BENCHES, ids=[bench.stem for bench in BENCHES])
def test_a_bench_runs_to_its_end_and_prints_a_table(bench: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, str(bench), "--quick"], capture_output=True, text=True, timeout=280, env=environ, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| --- | ---: |" in done.stdout


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("performance.md", "delivery"),
        ("performance.md", "composing"),
        ("performance.md", "ledger"),
        ("performance.md", "matching"),
        ("performance.md", "folder"),
        ("performance.md", "about"),
        ("performance.md", "polling"),
        ("scaling.md", "cluster"),
    ],
)
def test_each_bench_has_its_place_in_the_manual(name: str, section: str) -> None:
    page = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    begin, end = f"<!-- measured: {section} -->\n", f"<!-- end: {section} -->\n"
    assert page.count(begin) == page.count(end) == 1
    assert page.index(begin) < page.index(end)


def test_the_sink_counts_every_mail_and_keeps_its_message_id(tmp_path: Path) -> None:
    counts, log = tmp_path / "counts", tmp_path / "ids"
    sink = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "bench" / "sink.py"), "--count-file", str(counts), "--log", str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sink.stdout is not None
    with sink, smtplib.SMTP("127.0.0.1", int(sink.stdout.readline())) as client:
        for number in range(3):
            client.sendmail("a@x.example", ["b@y.example"], f"Message-ID: <{number}@x>\r\n\r\n..\r\n.\r\nhello\r\n")
        client.sendmail("a@x.example", ["b@y.example"], "")
        assert client.does_esmtp
        assert {"pipelining", "size", "8bitmime"} <= set(client.esmtp_features)
        sink.send_signal(signal.SIGTERM)
        assert sink.wait(10) == 0
        client.close()
    found = json.loads(counts.read_text())
    assert (found["messages"], found["connections"], found["most_open"]) == (4, 1, 1)
    assert log.read_text().split() == ["<0@x>", "<1@x>", "<2@x>", "-"]
