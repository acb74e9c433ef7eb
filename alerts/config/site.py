"""Reads ``site``, ``retention``, ``matching``, ``web``, ``subscribe``, the database's URL and the templates' folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from alerts.config import options, values
from alerts.config.keys import Reader
from alerts.config.model import Matching, Retention, Site, Subscribe, Web, Websub
from alerts.config.secret_files import secret_of

SQLITE_EXAMPLE = "sqlite:///var/alerts.db"


def read_site(reader: Reader) -> Site:
    """Read ``site``."""
    taken = reader.take_all(options.SITE)
    reader.refuse_unknown(taken)
    return Site(**taken)


def read_web(reader: Reader) -> Web:
    """Read ``web``."""
    taken = reader.take_all(options.WEB)
    reader.refuse_unknown(taken)
    host, port = taken["listen"] or ("", 0)
    return Web(
        host=host, port=port, trusted_proxies=taken["trusted_proxies"] or (), websub=taken["websub"] or Websub.AUTO
    )


def read_subscribe(reader: Reader) -> Subscribe:
    """Read ``subscribe``."""
    taken = reader.take_all(options.SUBSCRIBE)
    reader.refuse_unknown(taken)
    return Subscribe(**taken)


def read_retention(reader: Reader) -> Retention:
    """Read ``retention``."""
    taken = reader.take_all(options.RETENTION)
    reader.refuse_unknown(taken)
    return Retention(**taken)


def read_matching(reader: Reader) -> Matching:
    """Read ``matching``."""
    taken = reader.take_all(options.MATCHING)
    reader.refuse_unknown(taken)
    return Matching(**taken)


def read_templates(reader: Reader, folder: Path) -> Path | None:
    """Read ``templates``; the folder must be there, or a slip would go unnoticed."""
    written = reader.take(options.TEMPLATES)
    if written is None:
        return None
    path = Path(os.path.normpath(folder / written.replace("\0", "?")))
    if not path.is_dir():
        reader.problems.note(reader.where("templates"), f"'templates': there is no folder {path}")
    return path


def read_database(reader: Reader, folder: Path) -> str:
    """Read ``database`` and its password's file; return a URL whose path is absolute."""
    written = reader.take(options.DATABASE) or SQLITE_EXAMPLE
    secret = secret_of(reader, options.DATABASE_PASSWORD_FILE, folder)
    try:
        url = _absolute(written, folder)
        return _with_password(url, secret.get_secret_value()) if secret else url
    except ValueError as error:
        reader.problems.note(reader.where("database"), f"'database': {error}")
        return ""


def _absolute(url: str, folder: Path) -> str:
    scheme, separator, rest = url.partition("://")
    if scheme == "sqlite" and separator:
        return f"sqlite:///{folder / _sqlite_file(rest)}"
    if scheme in {"postgresql", "postgres"} and separator:
        if not values.split_url(url).path.strip("/"):
            raise ValueError("name the database after the host, such as postgresql://user@host/alerts")
        return f"postgresql://{rest}"
    raise ValueError(f"write {SQLITE_EXAMPLE} or postgresql://USER@HOST/NAME")


def _sqlite_file(rest: str) -> str:
    name = rest.lstrip("/")
    if name in {"", ":memory:"} or "\0" in name:
        raise ValueError(f"the ledger needs a file, such as {SQLITE_EXAMPLE}")
    if not rest.startswith("/"):
        raise ValueError(f"a file comes after three slashes, or four when it is absolute: sqlite:///{name}")
    if name.endswith("/"):
        raise ValueError(f"{name!r} is a folder; name a file in it")
    if "?" in name:
        raise ValueError("a file's URL takes no parameters")
    return rest[1:]


def _with_password(url: str, password: str) -> str:
    scheme, _, rest = url.partition("://")
    place, slash, name = rest.partition("/")
    user, _, host = place.rpartition("@")
    if scheme != "postgresql" or not user or ":" in user:
        raise ValueError("database_password_file needs a URL with a user and no password: postgresql://USER@HOST/NAME")
    return f"postgresql://{user}:{quote(password, safe='')}@{host}{slash}{name}"
