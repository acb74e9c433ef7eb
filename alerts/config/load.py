"""Reads the configuration once: finds the file, lays the environment over it, judges it whole."""

from __future__ import annotations

from collections.abc import Mapping as Environ
from pathlib import Path

from alerts.config import options
from alerts.config.aliases import read_aliases
from alerts.config.document import Mapping, Node, Scalar, read_document
from alerts.config.environment import override
from alerts.config.keys import Reader
from alerts.config.model import Config
from alerts.config.problems import Problems
from alerts.config.relays import read_mail
from alerts.config.site import (
    read_database,
    read_matching,
    read_retention,
    read_site,
    read_subscribe,
    read_templates,
    read_web,
)
from alerts.config.sources import read_channels, read_sources
from alerts.core.errors import ConfigError

MOST_BYTES = 2 << 20
DEFAULT_NAME = "config.yaml"


def load_config(path: Path | None, environ: Environ[str, str]) -> Config:
    """Return the configuration of ``path``, else of ``$ALERTS_CONFIG``, else of ``config.yaml`` here.

    Raises ConfigError that tells every mistake, a line each: where, what is wrong, what was meant.
    """
    path = path_of(path, environ)
    problems = Problems()
    root = read_document(_text_of(path), str(path), problems)
    if root is None:  # what cannot be read as a tree cannot be judged any further
        problems.refuse()
    config = _build(_top(root, path, problems), environ, path, problems)
    problems.refuse()
    return config


def path_of(named: Path | None, environ: Environ[str, str]) -> Path:
    """Return which file is meant: the one named, else ``$ALERTS_CONFIG``, else ``config.yaml`` here."""
    return named or Path(environ.get("ALERTS_CONFIG") or DEFAULT_NAME)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `alerts config init` writes one to start from") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: it cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: it is larger than {MOST_BYTES >> 20} MiB; that is no configuration")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: byte {error.start} is not UTF-8; save the file as UTF-8") from None


def _top(root: Node | None, path: Path, problems: Problems) -> Mapping:
    if isinstance(root, Mapping):
        return root
    if root is None or (isinstance(root, Scalar) and root.is_null):
        problems.note(str(path), "the file is empty; `alerts config init` writes one to start from")
    else:
        problems.note(root.place, "the file must hold 'key: value' lines, such as 'site:' and 'channels:'")
    return Mapping(str(path))


def _build(root: Mapping, environ: Environ[str, str], path: Path, problems: Problems) -> Config:
    override(root, environ, options.TOP, problems)
    top = Reader(root, root.place, "", problems)
    folder = path.absolute().parent
    top.refuse_unknown(options.TOP)
    return Config(
        site=read_site(top.section("site")),
        database=read_database(top, folder),
        retention=read_retention(top.section("retention")),
        web=read_web(top.section("web")),
        subscribe=read_subscribe(top.section("subscribe")),
        mail=read_mail(top.section("mail"), folder),
        sources=read_sources(top, folder),
        channels=read_channels(top, folder),
        matching=read_matching(top.section("matching")),
        templates=read_templates(top, folder),
        path=path.absolute(),
        folder=folder,
        aliases=read_aliases(top.section("aliases")),
    )
