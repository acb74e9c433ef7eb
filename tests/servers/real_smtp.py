"""Other people's SMTP servers on loopback: Postfix, its smtp-sink, aiosmtpd. What is not here is skipped by name."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from daemon import free_port

_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_DAEMONS = (Path("/usr/lib/postfix/sbin"), Path("/usr/libexec/postfix"))
_SINKS_OWN_LINES = re.compile(rb"\A(?:X-[^\n]*\n)+Received:[^\n]*\n(?:\t[^\n]*\n)+")
_READY_WITHIN_S = 20

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
command_directory = {commands}
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{onward}
smtpd_recipient_restrictions =
  check_recipient_access inline:{{ {{nobody@example.org = 550 5.1.1 no such user}} }}
  permit_mynetworks, reject
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
disable_dns_lookups = yes
disable_mime_output_conversion = yes
smtpd_client_connection_rate_limit = 0
"""

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
"""


@dataclass(frozen=True, slots=True)
class SmtpSink:
    """Postfix's test server, which writes down what it takes."""

    port: int
    folder: Path

    def taken(self) -> list[bytes]:
        """Give the mails, without the lines of its own, CRLF restored."""
        raw = [path.read_bytes() for path in sorted(self.folder.iterdir())]
        return [_SINKS_OWN_LINES.sub(b"", it).removesuffix(b"\n").replace(b"\n", b"\r\n") for it in raw]


@contextmanager
def smtp_sink(options: Sequence[str] = ()) -> Iterator[SmtpSink]:
    """Run ``smtp-sink`` with these options; it may misbehave by them as its manual says."""
    program = shutil.which("smtp-sink", path=_PATH)
    if program is None:
        pytest.skip("Postfix's smtp-sink is not here (Debian: postfix)")
    port = free_port()
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    with _folder_for_all() as folder:
        mails = folder / "mails"
        mails.mkdir()
        mails.chmod(0o777)
        command = [program, *account, "-d", f"{mails}/%H%M.", *options, f"127.0.0.1:{port}", "100"]
        with _running(command, folder / "log", port):
            yield SmtpSink(port, mails)


@contextmanager
def postfix(*, onward: int) -> Iterator[int]:
    """Run a Postfix of our own, in a folder of its own, that hands every mail on to a port of loopback; give its port.

    It refuses nobody@example.org, who is not there.
    """
    if os.geteuid() != 0:
        pytest.skip("Postfix only runs as root")
    daemons = next((it for it in _DAEMONS if (it / "master").exists()), None)
    program = shutil.which("postfix", path=_PATH)
    if daemons is None or program is None:
        pytest.skip("Postfix is not here (Debian: postfix)")
    port = free_port()
    with _folder_for_all() as folder:
        _lay_out(folder)
        main = MAIN_CF.format(folder=folder, daemons=daemons, commands=Path(program).parent, onward=onward)
        (folder / "main.cf").write_text(main)
        (folder / "master.cf").write_text(MASTER_CF.format(port=port))
        with _running([str(daemons / "master"), "-c", str(folder), "-d"], folder / "log", port):
            yield port


@contextmanager
def _folder_for_all() -> Iterator[Path]:
    """Give a folder that a server may walk to under an account of its own; the tests' own folder is private."""
    with tempfile.TemporaryDirectory(prefix="alerts-smtp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _lay_out(folder: Path) -> None:
    """Make the folders that Postfix expects, owned as it wants them."""
    owner = pwd.getpwnam("postfix")
    queues = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private")
    (folder / "queue" / "pid").mkdir(parents=True)
    for name in (*queues, "public", "saved", "trace", "../data"):
        (folder / "queue" / name).mkdir()
        os.chown(folder / "queue" / name, owner.pw_uid, owner.pw_gid)


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[None]:
    """Run a server until the block ends."""
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True)
    try:
        deadline = time.monotonic() + _READY_WITHIN_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    """Say whether somebody listens, without troubling them with a connection where that can be seen."""
    table = Path("/proc/net/tcp")
    if table.exists():
        rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
        return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass  # no slots: aiosmtpd asks for every attribute, and early releases of Python 3.11 have one that breaks then
class Mailbox:
    """What aiosmtpd took, byte for byte, and over what."""

    taken: list[tuple[str, bytes]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[object] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert isinstance(envelope.original_content, bytes)
        self.taken.append((envelope.rcpt_tos[0], envelope.original_content))
        self.encrypted.append(session.ssl is not None)
        self.users.append(session.auth_data)
        return "250 2.0.0 taken"


@asynccontextmanager
async def aiosmtpd_server(*, tls: ssl.SSLContext | None = None, password: str | None = None) -> AsyncIterator[Mailbox]:
    """Run aiosmtpd; with ``tls`` it wants STARTTLS, with ``password`` a login of bob's. It knows no PIPELINING."""
    box = Mailbox()
    loop = asyncio.get_running_loop()

    def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"bob", (password or "").encode())
        return AuthResult(success=good, handled=False, auth_data="bob" if good else None)

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a login in the clear is unwise
            return SMTP(
                box,
                hostname="mx.example",
                enable_SMTPUTF8=True,
                loop=loop,
                tls_context=tls,
                require_starttls=tls is not None,
                authenticator=check if password else None,
                auth_required=password is not None,
                auth_require_tls=tls is not None,
            )

    server = await loop.create_server(protocol, host="127.0.0.1", port=0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; give a server's context and that of a client who trusts it."""
    program = shutil.which("openssl", path=_PATH)
    if program is None:
        pytest.skip("openssl is not here to make a certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    made = ["-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([program, "req", "-x509", *curve, *made, *names], check=True, capture_output=True, timeout=30)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))
