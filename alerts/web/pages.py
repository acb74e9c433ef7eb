"""Turns a template and values into an answer; finds templates and static files, the operator's own before ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, TemplateSyntaxError, pass_context
from jinja2.runtime import Context
from starlette.responses import HTMLResponse

from alerts.app import App
from alerts.core.errors import ConfigError

STATIC = {"site.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}

_LANGUAGE = re.compile(r"\A[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}\Z")
_PACKAGE = Path(__file__).resolve().parent.parent


class Pages:
    """The templates of one site; follows the config when it is reloaded."""

    def __init__(self, app: App, *, has_catcher: bool) -> None:
        self._app = app
        self._has_catcher = has_catcher
        self._built_for: Path | None = None
        self._built: Environment | None = None

    def answer(
        self, name: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """Render a template; what it shows of us comes from the config, never from a request's Host."""
        site = self._app.config.site
        text = (
            self._environment()
            .get_template(name)
            .render(
                site=site,
                root=site.url.rstrip("/"),
                zone=ZoneInfo(site.time_zone),
                has_catcher=self._has_catcher,
                static=self._static_url,
                **values,
            )
        )
        # A lone surrogate would be an error, and a title may hold one.
        content = text.encode("utf-8", "replace")
        return HTMLResponse(content, status_code=status, headers={"Cache-Control": "no-cache", **(headers or {})})

    def check(self) -> None:
        """Compile every template, the operator's too; raise ConfigError naming the file and line of what is wrong."""
        environment = self._environment()
        for name in environment.list_templates(extensions=["html"]):
            try:
                environment.get_template(name)
            except TemplateSyntaxError as error:
                raise ConfigError(f"{error.filename or name}:{error.lineno}: {error.message}") from error

    def static(self, name: str) -> bytes:
        """Return a static file; raises KeyError for one that we do not have."""
        if name not in STATIC:
            raise KeyError(name)
        for folder in self._folders():
            if (folder / name).is_file():
                return (folder / name).read_bytes()
        raise KeyError(name)

    def _static_url(self, name: str) -> str:
        """Return the path of a static file with its content's hash, so that it may be cached for ever."""
        return f"/static/{name}?v={version_of(self.static(name))}"

    def _environment(self) -> Environment:
        override = self._app.config.templates
        if self._built is None or self._built_for != override:
            self._built, self._built_for = _environment(self._folders()), override
        return self._built

    def _folders(self) -> list[Path]:
        override = self._app.config.templates
        return [*([override / "web"] if override else []), our_templates()]


def our_templates() -> Path:
    """Return the folder of the templates that come with the product: in a wheel, else in the repository."""
    packed = _PACKAGE / "_templates" / "web"
    return packed if packed.is_dir() else _PACKAGE.parent / "templates" / "web"


def version_of(content: bytes) -> str:
    """Return what changes when the content does."""
    return hashlib.sha256(content).hexdigest()[:12]


def web_link(url: str | None) -> str | None:
    """Return a link that a page may offer, or None: ``javascript:`` and its like never leave here.

    >>> web_link("https://example.com/a"), web_link("javascript:alert(1)")
    ('https://example.com/a', None)
    """
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.hostname else None


def language_tag(language: str | None) -> str:
    """Return a language as an attribute may hold it; empty where none is known."""
    return language if language and _LANGUAGE.match(language) else ""


def counted(number: int, one: str, many: str) -> str:
    """Return the number with its noun.

    >>> counted(1, "article", "articles"), counted(1200, "article", "articles")
    ('1 article', '1,200 articles')
    """
    return f"{number:,} {one if number == 1 else many}"


def _environment(folders: list[Path]) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "web_link": web_link,
        "language_tag": language_tag,
        "counted": counted,
        "day": _day,
        "moment": _moment,
    }
    return environment


@pass_context
def _day(context: Context, moment: datetime) -> str:
    """Show a day in the site's zone: ``4 January 2026``."""
    local = moment.astimezone(_zone(context))
    return f"{local.day} {local:%B} {local.year}"


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    """Show a time in the site's zone: ``4 Jan 2026, 12:00 UTC``."""
    local = moment.astimezone(_zone(context))
    return f"{local.day} {local:%b} {local.year}, {local:%H:%M %Z}"


def _zone(context: Context) -> tzinfo:
    zone = context.get("zone")
    return zone if isinstance(zone, tzinfo) else UTC
