"""Reads the section ``mail``: the sender, the relays and the catcher."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote

from alerts.config import options, values
from alerts.config.keys import Reader, refuse_repeated
from alerts.config.model import Links, Listen, Mail, Relay, Tls
from alerts.config.problems import meant
from alerts.config.secret_files import secret_of

CATCHER_URL = "catcher:"
SMTP, SUBMISSION, SMTPS = 25, 587, 465  # default ports: without a user, with one, with TLS at once


def read_mail(reader: Reader, folder: Path) -> Mail:
    """Read ``mail``; without relays, mails go to the catcher."""
    sender = reader.take(options.SENDER)
    catcher = _read_catcher(reader.section("catcher"))
    items = reader.each("relays")
    if "relays" in reader and not items:
        reader.problems.note(reader.where("relays"), "'mail.relays' names no relay; name one, or leave the key out")
    relays = [_read_relay(item, folder, catcher) for item in items]
    refuse_repeated("url", ((item, relay.url) for item, relay in zip(items, relays, strict=True)))
    links = reader.take(options.LINKS) or Links.ARTICLE
    reader.refuse_unknown(["sender", "links", "relays", "catcher"])
    return Mail(sender=sender, links=links, relays=tuple(relays) or (_default(catcher),), catcher=catcher)


def _read_catcher(reader: Reader) -> Listen:
    host, port = reader.take(options.CATCHER_LISTEN) or ("", 0)
    reader.refuse_unknown([options.CATCHER_LISTEN.name])
    return Listen(host=host, port=port)


def _default(catcher: Listen) -> Relay:
    return _read_relay(Reader.of({"url": CATCHER_URL}), Path(), catcher)


def _read_relay(reader: Reader, folder: Path, catcher: Listen) -> Relay:
    url = (reader.take(options.RELAY_URL) or CATCHER_URL).strip()
    taken = reader.take_all(options.RELAY_LIMITS)
    tls = reader.take(options.RELAY_TLS)
    secret = secret_of(reader, options.RELAY_PASSWORD_FILE, folder)
    reader.refuse_unknown(options.RELAY_KEYS)
    if url.removesuffix(":") == "catcher":
        host, port, username, scheme = catcher.host, catcher.port, None, "catcher"
        url, tls = CATCHER_URL, Tls.NONE
    else:
        try:
            host, port, username, scheme = _smtp(url)
        except ValueError as error:
            reader.problems.note(reader.where("url"), f"'{reader.path}.url': {error}")
            host, port, username, scheme, url = "", 0, "", "smtp", ""
    if secret is not None and username is None:
        reader.problems.note(
            reader.where("password_file"), f"{reader.path!r} has a password but no user: smtp://USER@…"
        )
    return Relay(
        url=url,
        scheme=scheme,
        host=host,
        port=port,
        username=username,
        password=secret,
        tls=tls or _usual_tls(host, username),
        **taken,
    )


def _smtp(url: str) -> tuple[str, int, str | None, str]:
    """Return host, port, user and scheme of ``smtp://USER@HOST:PORT``; a password never comes into a message."""
    if _password_of(url):
        raise ValueError("it holds a password; put that into a file and name the file under 'password_file'")
    parts = values.split_url(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        known = meant(parts.scheme, ["smtp", "smtps", "catcher"])
        hint = f"; did you mean {known}:?" if known else ""
        raise ValueError(f"write catcher:, smtp://HOST:PORT or smtps://HOST:PORT{hint}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"nothing may follow the host and the port in {url!r}")
    username = unquote(parts.username) if parts.username else None
    return values.host(parts.hostname), parts.port or _usual_port(parts, username), username, parts.scheme


def _password_of(url: str) -> bool:
    user, at, _ = url.partition("://")[2].rpartition("@")
    return bool(at) and ":" in user


def _usual_port(parts: SplitResult, username: str | None) -> int:
    if parts.scheme == "smtps":
        return SMTPS
    return SUBMISSION if username else SMTP


def _usual_tls(host: str, username: str | None) -> Tls:
    """Never show a password to the wire, never refuse a server on this machine for its home-made certificate."""
    return Tls.REQUIRED if username and not values.is_loopback(host) else Tls.OPPORTUNISTIC
