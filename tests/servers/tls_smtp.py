"""SMTP servers with TLS and logins of their own, on certificates made for the occasion."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from scripted_smtp import EHLO, Script, ScriptedSmtp, Session


class Authority:
    """A certificate authority that lives as long as a test; ``clients`` trust it and nobody else."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority for tests")])
        self._certificate = self._sign(self._name, self._key.public_key(), ca=True)
        self.clients = ssl.create_default_context(
            cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        )

    def server(self, host: str, *, valid_days: int = 1) -> ssl.SSLContext:
        """Give what a server named ``host`` needs."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(name, key.public_key(), host=host, valid_days=valid_days)
        file = self._folder / f"{host}{valid_days}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *,
        ca: bool = False,
        host: str = "",
        valid_days: int = 1,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=valid_days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class TlsSmtp(ScriptedSmtp):
    """A scripted server that speaks TLS, at once or by STARTTLS, and lets in who knows the password."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        at_once: bool = False,
        users: dict[str, str] | None = None,
        auth: str = "PLAIN LOGIN",
        script: Script | None = None,
        extensions: Sequence[str] = EHLO,
    ) -> None:
        offers = [*extensions, *([] if at_once else ["STARTTLS"]), *([f"AUTH {auth}"] if users else [])]
        super().__init__(script, extensions=offers)
        self._context = context
        self._at_once = at_once
        self._users = users or {}
        self.logins: list[tuple[str, str]] = []  # mechanism, user
        self.encrypted: list[int] = []  # numbers of the sessions that went over to TLS

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=1 << 20, ssl=self._context if self._at_once else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _obey(
        self, verb: str, line: str, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        match verb:
            case "STARTTLS":
                reply = self._script("starttls", session) or b"220 2.0.0 go\r\n"
                going = await self._say(reply, writer)
                if reply.startswith(b"220"):
                    await writer.start_tls(self._context)
                    self.encrypted.append(session.number)
                return going
            case "AUTH":
                return await self._log_in(line, session, reader, writer)
            case "MAIL" if self._users and not self.logins:
                return await self._say(b"530 5.7.0 log in first\r\n", writer)
            case _:
                return await super()._obey(verb, line, session, reader, writer)

    async def _log_in(
        self, line: str, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        scripted = self._script("auth", session)
        if scripted is not None:
            return await self._say(scripted, writer)
        _, mechanism, *initial = line.split(" ")
        if mechanism.upper() == "PLAIN":
            given = initial[0] if initial else await self._asked(b"334 \r\n", reader, writer)
            _, user, password = base64.b64decode(given).decode().split("\0")
        else:
            given = initial[0] if initial else await self._asked(b"334 VXNlcm5hbWU6\r\n", reader, writer)
            user = base64.b64decode(given).decode()
            password = base64.b64decode(await self._asked(b"334 UGFzc3dvcmQ6\r\n", reader, writer)).decode()
        if self._users.get(user) != password:
            return await self._say(b"535 5.7.8 wrong\r\n", writer)
        self.logins.append((mechanism.upper(), user))
        return await self._say(b"235 2.7.0 welcome\r\n", writer)

    async def _asked(self, challenge: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        await self._say(challenge, writer)
        return (await reader.readuntil(b"\n")).strip().decode()
