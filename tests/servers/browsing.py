"""What tests of pages in a browser ask for: one Chromium for a whole file of tests, and a furnished site each.

A file of tests gets it by ``pytest_plugins = ["browsing"]``, so that no other test waits for Playwright to be imported.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from chromium import chromium
from furnished_site import Visit, furnished_site
from page_checkers import Checkers, bring_checkers
from playwright.async_api import Browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Give a Chromium; the tests that use it share its loop: ``pytest.mark.asyncio(loop_scope="module")``."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def visit(tmp_path: Path, now: datetime) -> AsyncIterator[Visit]:
    """Give a site whose texts are long and foreign."""
    async with furnished_site(tmp_path, now) as visit:
        yield visit


@pytest.fixture(scope="session")
def checkers() -> Checkers:
    """Give the judges of pages."""
    return bring_checkers()
