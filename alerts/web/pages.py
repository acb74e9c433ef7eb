"""Turns a template and values into an answer; finds templates and static files, the operator's own before ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from gettext import NullTranslations
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import (
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from alerts.app import App
from alerts.core.errors import ConfigError
from alerts.core.sentences import ENGLISH, N_, counter, spoken, translator, wishes_of
from alerts.languages import catalogues
from alerts.web.guard import page_policy
from alerts.web.proof import FormProof

STATIC = {
    "site.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "work.js": "text/javascript; charset=utf-8",
    "embed.js": "text/javascript; charset=utf-8",
    "frame.js": "text/javascript; charset=utf-8",
}

_LANGUAGE = re.compile(r"\A[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}\Z")
_PACKAGE = Path(__file__).resolve().parent.parent


class Pages:
    """The templates of one site; follows the config when it is reloaded."""

    def __init__(self, app: App, *, has_catcher: bool, compiled: BytecodeCache | None = None) -> None:
        """``compiled`` keeps the compiled templates for whoever makes more than one site in a process."""
        self._app = app
        self._has_catcher = has_catcher
        self._compiled = compiled
        self._built: _Built | None = None

    def answer(
        self,
        request: Request,
        name: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        person: str | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Render a template in the reader's language; ``person`` is the one that somebody known to us has chosen.

        What it shows of us comes from the config, never from a request's Host.
        """
        site = self._app.config.site
        built = self._current()
        language = self.language(request, person=person)
        translate = translator(built.catalogues[language], html=True)
        form_proof = FormProof(self._app, built.environment, {"_": translate, "static": self._static_url})
        text = built.environment.get_template(name).render(
            site=site,
            root=site.url.rstrip("/"),
            zone=ZoneInfo(site.time_zone),
            has_catcher=self._has_catcher,
            static=self._static_url,
            form_proof=form_proof,
            language=language,
            locale=locale_of(language),
            _=translate,
            ngettext=counter(built.catalogues[language], html=True),
            **values,
        )
        # A lone surrogate would be an error, and a title may hold one.
        content = text.encode("utf-8", "replace")
        said = {"Cache-Control": "no-cache", "Content-Language": language, "Vary": "Accept-Language"}
        if form_proof.has_script:
            said["Content-Security-Policy"] = page_policy(scripts=True)
        return HTMLResponse(content, status_code=status, headers={**said, **(headers or {})})

    def language(self, request: Request, *, person: str | None = None) -> str:
        """Choose the language of an answer: the person's, else the browser's, else the site's, of those we speak."""
        wishes = [person, *wishes_of(request.headers.get("accept-language", "")), self._app.config.site.language]
        return spoken(wishes, self._current().catalogues) or ENGLISH

    def site_language(self) -> str:
        """Return the language of what is the same for everybody: the site's, if we speak it."""
        return spoken([self._app.config.site.language], self._current().catalogues) or ENGLISH

    def languages(self) -> list[str]:
        """Name the languages that we speak, as tags."""
        return sorted(self._current().catalogues)

    def translator(self, language: str) -> Callable[..., str]:
        """Return what says a sentence in a language, for what is no HTML."""
        return translator(self._current().catalogues[language], html=False)

    def check(self) -> None:
        """Compile the operator's own templates; raise ConfigError naming the file and line of what is wrong.

        Ours are compiled when somebody asks for their page: our tests ask for all of them.
        """
        override, environment = self._app.config.templates, self._current().environment
        if override is None:
            return
        for name in FileSystemLoader(override / "web").list_templates():
            try:
                if name.endswith(".html"):
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

    def _current(self) -> _Built:
        override = self._app.config.templates
        if self._built is None or self._built.override != override:
            self._built = _Built(override, _environment(self._folders(), self._compiled), catalogues(override))
        return self._built

    def _folders(self) -> list[Path]:
        override = self._app.config.templates
        return [*([override / "web"] if override else []), our_templates()]


def form_proof() -> Markup:
    """Return the hidden fields of a form that may cause a mail."""
    return Markup("")


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


def locale_of(language: str) -> Locale:
    """Return how a language writes dates and numbers; English as Europe does: the day before the month."""
    try:
        return Locale.parse("en-150" if language == ENGLISH else language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_150")


def language_name(tag: str) -> str:
    """Return a language's own name: ``中文``; its tag where nobody knows it."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return tag
    return locale.get_display_name(locale) or tag


class _Built(NamedTuple):
    """What one folder of the operator's comes to."""

    override: Path | None
    environment: Environment
    catalogues: Mapping[str, NullTranslations]


def _environment(folders: list[Path], compiled: BytecodeCache | None) -> Environment:
    environment = Environment(
        bytecode_cache=compiled,
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "web_link": web_link,
        "language_tag": language_tag,
        "day": _day,
        "moment": _moment,
        "number": _number,
        "listed": _listed,
        "language_name": language_name,
    }
    return environment


@pass_context
def _day(context: Context, moment: datetime) -> str:
    """Show a day in the site's zone: ``4 January 2026``."""
    return format_date(moment.astimezone(_zone(context)).date(), "long", locale=_locale(context))


@pass_context
def _moment(context: Context, moment: datetime) -> str:
    """Show a time in the site's zone: ``4 Jan 2026, 12:00 UTC``."""
    local = moment.astimezone(_zone(context))
    day = format_date(local.date(), "medium", locale=_locale(context))
    return f"{day}, {local:%H:%M %Z}"


@pass_context
def _number(context: Context, number: int) -> str:
    """Write a number as the language does: ``1,200``."""
    return format_decimal(number, locale=_locale(context))


@pass_context
def _listed(context: Context, names: Iterable[str]) -> Markup:
    """List names as a sentence, and our mails, do: "Xiaomi, Tesla and BYD", each apart from the text around it."""
    say: Callable[..., Markup] = context["_"]
    *start, last = [Markup('<bdi class="name">{}</bdi>').format(name) for name in names] or [Markup()]
    return say(N_("{names} and {last}"), names=say(N_(", ")).join(start), last=last) if start else last


def _zone(context: Context) -> tzinfo:
    zone = context.get("zone")
    return zone if isinstance(zone, tzinfo) else UTC


def _locale(context: Context) -> Locale:
    locale = context.get("locale")
    return locale if isinstance(locale, Locale) else locale_of(ENGLISH)
