"""The floors hold, and the check that says so notices a fault."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

FAULTS = [
    ("core/text.py", "import alerts.storage.engine", "The floors"),
    ("storage/engine.py", "import alerts.mail.connection", "The floors"),
    ("config/load.py", "import alerts.storage.engine", "The floors"),
    ("services/match.py", "import alerts.web", "The floors"),
    ("core/text.py", "import socket", "The core knows no I/O"),
    ("core/text.py", "import sqlalchemy", "The core knows no I/O"),
    ("services/match.py", "import alerts.services.fan_out", "A service calls no other"),
]


def checked(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Give a copy of the package that may be broken."""
    shutil.copytree(REPOSITORY / "alerts", tmp_path / "alerts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    return tmp_path


def test_imports_only_go_down() -> None:
    done = checked(REPOSITORY)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("module", "fault", "contract"), FAULTS)
def test_a_planted_fault_is_noticed(copy: Path, module: str, fault: str, contract: str) -> None:
    with (copy / "alerts" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{fault}\n")
    done = checked(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [line for line in done.stdout.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), done.stdout
