"""The judges of pages, from npm: axe-core, which a page is given to hold against itself, and html-validate.

Installed once, beside this Python's packages, under a name that changes with ``tests/npm/package.json``. Without npm
the tests that need them are skipped by name; where CI=true, a skip is a failure.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

RULES = Path(__file__).parents[1] / "npm"
INSTALL = ["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
OLDEST_NODE = 18
PATIENCE_S = 100

_RUN_AXE = "options => axe.run(document, options)"


@dataclass(frozen=True, slots=True)
class Checkers:
    """The folder that holds ``node_modules``."""

    folder: Path

    async def accessibility(self, page: Page, *, without: tuple[str, ...] = ()) -> list[str]:
        """Return what axe holds against a page as it is now, ``without`` some of its rules."""
        await page.evaluate(self._axe())
        options = {
            "resultTypes": ["violations"],
            "iframes": False,
            "rules": {rule: {"enabled": False} for rule in without},
        }
        found = await page.evaluate(_RUN_AXE, options)
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]} ({node['failureSummary']})"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def validity(self, documents: Mapping[str, bytes], *, rules: str = "htmlvalidate.json") -> list[str]:
        """Return what is no valid HTML in documents given by name."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(RULES / rules, folder / ".htmlvalidate.json")
            for number, document in enumerate(documents.values()):
                (folder / f"{number}.html").write_bytes(document)
            program = self.folder / "node_modules" / "html-validate" / "bin" / "html-validate.mjs"
            done = subprocess.run(
                ["node", str(program), "--formatter", "json", "."],
                cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
            )  # fmt: skip
            assert done.returncode in {0, 1}, done.stderr
            return list(_complaints(json.loads(done.stdout), list(documents)))

    def _axe(self) -> str:
        return (self.folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def _complaints(report: list[dict[str, Any]], names: list[str]) -> Iterator[str]:
    for document in report:
        name = names[int(Path(document["filePath"]).stem)]
        for one in document["messages"]:
            yield f"{name}:{one['line']}:{one['column']}: {one['ruleId']}: {one['message']}"


def bring_checkers() -> Checkers:
    """Install the judges if they are not there; several processes may ask at once, and one installs."""
    _need_node()
    wanted = (RULES / "package.json").read_bytes()
    folder = Path(sys.prefix) / "page-checkers" / hashlib.sha256(wanted).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            (folder / "package.json").write_bytes(wanted)
            _install(folder)
            (folder / "installed").touch()
    return Checkers(folder)


def _need_node() -> None:
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} for the tests of pages: apt-get install nodejs npm")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.strip().lstrip("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version.strip()} is too old for the tests of pages, which need {OLDEST_NODE}")


def _install(folder: Path) -> None:
    environ = {**os.environ, "npm_config_update_notifier": "false"}
    done = subprocess.run(
        ["npm", *INSTALL], cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, f"npm could not install {folder / 'package.json'}:\n{done.stderr[-2000:]}"
