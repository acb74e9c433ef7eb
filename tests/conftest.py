"""What every test may ask for: databases of both kinds, and the hour at which it is always noon."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from postgresql_server import PostgresqlServer, PostgresqlUnavailableError

from alerts.storage.engine import Database


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that lacks a part (a browser, PostgreSQL) be skipped on a desk, and fail where CI=true."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI may not: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Treat a file of tests that is skipped as a whole likewise."""
    report = yield
    if report.outcome == "skipped" and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which CI may not: {report.longrepr}"
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each test process begin with its share of the slow ones, so that none is left to the end with nothing beside.

    A process is given a stretch of the list, and takes from another's when it is through.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long: dict[object, list[pytest.Item]] = {}
    others = []
    for it in items:
        if it.get_closest_marker("browser"):
            long.setdefault(it.path, []).append(it)  # those of a file share a browser
        elif it.get_closest_marker("slow"):
            long[it.nodeid] = [it]
        else:
            others.append(it)
    share = -(-len(others) // processes)
    items[:] = [
        it
        for number in range(processes)
        for it in chain(*list(long.values())[number::processes], others[number * share : (number + 1) * share])
    ]


# No clock decides a test: machines are shared. `HYPOTHESIS_PROFILE=long` looks further.
settings.register_profile("house", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", parent=settings.get_profile("house"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Take back what a command run in this process did to the logs: its stderr is closed when its test is over."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # The default draws every local variable of a traceback, which takes seconds.
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.stdlib.add_log_level, plain])
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def now() -> datetime:
    """Give a Monday noon in winter."""
    return datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    """Give a PostgreSQL server of this test process's own."""
    try:
        server = PostgresqlServer.start()
    except PostgresqlUnavailableError as error:
        pytest.skip(f"no PostgreSQL for the tests: {error}")
    with server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database."""
    with postgresql_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an SQLite ledger that has the tables already, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("template") / "alerts.db"

    async def make() -> None:
        await (await Database.open(f"sqlite:///{path}")).close()

    with ThreadPoolExecutor(1) as thread:  # the test that asks first may have a loop running in this one
        thread.submit(lambda: asyncio.run(make())).result()
    return path


@pytest.fixture
def sqlite_ledger_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Give the URL of a fresh SQLite ledger of the test's own."""
    shutil.copy(sqlite_template, tmp_path / "alerts.db")
    return f"sqlite:///{tmp_path / 'alerts.db'}"


@pytest.fixture
async def sqlite_db(sqlite_ledger_url: str) -> AsyncIterator[Database]:
    """Give a fresh SQLite ledger."""
    db = await Database.open(sqlite_ledger_url)
    yield db
    await db.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Give a fresh ledger, once of each kind."""
    db = await Database.open(request.getfixturevalue(f"{request.param}_ledger_url"))
    yield db
    await db.close()


@pytest.fixture
def postgresql_ledger_url(postgresql_server: PostgresqlServer) -> Iterator[str]:
    """Give the URL of a PostgreSQL database that has the tables already, copied from one made once."""
    with postgresql_server.ledger() as url:
        yield url
