"""Read the mails' templates from where they were installed, with the operator's own laid over; renders only to try."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

from alerts.core.errors import ConfigError
from alerts.core.messages import (
    Links,
    Rendered,
    SiteIdentity,
    Templates,
    address_changed_contents,
    address_confirmation_contents,
    manage_link_contents,
)
from alerts.core.messages.contents import (
    alert_contents,
    confirmation_contents,
    digest_contents,
    trial_contents,
    welcome_contents,
)
from alerts.core.messages.render import MAILS, PARTS
from alerts.core.model import Article, Channel, Disposition, Item
from alerts.core.sentences import ENGLISH
from alerts.languages import catalogues

LARGEST_TEMPLATE = 256 * 1024  # octets

_PACKAGE = Path(__file__).resolve().parent.parent
_NEEDED = {
    "alert": "unsubscribe_url",
    "confirmation": "confirm_url",
    "welcome": "unsubscribe_url",
    "digest": "unsubscribe_url",
    "manage_link": "manage_url",
    "address_confirmation": "confirm_url",
    "address_changed": "address",
}
_SUFFIXES = frozenset({".txt", ".html"})


def shipped_folder() -> Path:
    """Return the folder of the templates we ship: inside the package when installed, else beside it."""
    installed = _PACKAGE / "_templates" / "email"
    return installed if installed.is_dir() else _PACKAGE.parent / "templates" / "email"


def load_templates(override: Path | None) -> Templates:
    """Return the templates, those in ``override`` instead of ours of the same name.

    ``override`` holds ``alert/subject.txt`` and so on, or a folder ``email`` that does; with it every mail is tried
    once. Ours alone are only looked for: to try them would take every command and sender a tenth of a second to say
    what our tests say. Raise ConfigError naming the file and line of what is wrong with one.
    """
    ours = _paths(shipped_folder())
    missing = sorted({f"{mail}/{part}" for mail in MAILS for part in PARTS} - ours.keys())
    if missing:
        raise ConfigError(f"{shipped_folder()}: {missing[0]} is missing; install News Alert anew")
    if override is None:
        return _templates(ours, override)
    if not override.is_dir():
        raise ConfigError(f"templates: {override} is no folder")
    inner = override / "email"
    paths = ours | _paths(inner if inner.is_dir() else override)
    templates = _templates(paths, override)
    for mail in MAILS:
        _try(templates, mail, paths)
    return templates


def _templates(paths: dict[str, Path], override: Path | None) -> Templates:
    return Templates({name: _read(path) for name, path in paths.items()}, catalogues(override))


def _paths(folder: Path) -> dict[str, Path]:
    """Return the templates in a folder, by the names they are asked for."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.suffix in _SUFFIXES and path.is_file()
    }


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TEMPLATE:
            raise ConfigError(f"{path}: a template may have {LARGEST_TEMPLATE // 1024} KiB at most")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (octet {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _try(templates: Templates, mail: str, paths: dict[str, Path]) -> None:
    """Render a mail about nothing in particular, so that a slip shows now and not when news breaks."""
    for sample in _samples(mail):
        try:
            rendered = templates.render(mail, sample, language=ENGLISH)
        except TemplateSyntaxError as error:
            raise ConfigError(f"{_where(error.name, error.lineno, paths)}: {error.message}") from error
        except TemplateNotFound as error:
            raise ConfigError(f"templates: there is no {error.name}, which {mail!r} needs") from error
        except Exception as error:
            # A template can fail as any code can: a missing name, a sum of a word and a number, a forbidden attribute.
            if not isinstance(
                error, TemplateError | ArithmeticError | LookupError | TypeError | ValueError | AttributeError
            ):
                raise
            raise ConfigError(f"{_failed_at(error, mail, paths)}: {error}") from error
        _check_links(rendered, mail, sample, paths)


def _check_links(rendered: Rendered, mail: str, sample: dict[str, object], paths: dict[str, Path]) -> None:
    """Refuse a template that leaves out what the law and the mailbox providers ask for (E19, E22)."""
    needed = _NEEDED.get(mail)
    for part, text in zip(PARTS, (rendered.subject, rendered.text, rendered.html), strict=True):
        path = paths[f"{mail}/{part}"]
        if not text.strip():
            raise ConfigError(f"{path}: renders to nothing")
        if part != "subject.txt" and needed and str(sample[needed]) not in text:
            raise ConfigError(f"{path}: must show {{{{ {needed} }}}}")


def _failed_at(error: Exception, mail: str, paths: dict[str, Path]) -> str:
    """Find the template and line in the traceback, where Jinja put them."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in paths:
            return _where(frame.filename, frame.lineno, paths)
    return f"templates: {mail}"


def _where(name: str | None, line: int | None, paths: dict[str, Path]) -> str:
    return f"{paths.get(name or '', name)}, line {line}"


def _samples(mail: str) -> tuple[dict[str, object], ...]:
    """Return what to try a mail's templates with: all there can be, and as little as there can be."""
    site = SiteIdentity(
        name="The Trial Times",
        url="https://trial.example",
        sender="alerts@trial.example",
        postal_address="1 Trial Street\nTrialtown",
        language=ENGLISH,
        time_zone="UTC",
    )
    many = [Channel(id=n, slug=f"trial-{n}", name=f"Trial {n}", query="trial") for n in range(1, 11)]
    one, full, bare = many[:1], _article(full=True), _article(full=False)
    links, question = Links.of(site, manage="manage-trial", unsubscribe="unsubscribe-trial"), site.link("confirm", "t")
    samples: dict[str, tuple[dict[str, object], ...]] = {
        "alert": (
            alert_contents(site, full, many, links, language=ENGLISH),
            alert_contents(site, bare, one, links, language=ENGLISH),
        ),
        "confirmation": (
            confirmation_contents(site, many, question, language=ENGLISH),
            confirmation_contents(site, one, question, language=ENGLISH),
        ),
        "welcome": (
            welcome_contents(site, many, [full, bare], links, language=ENGLISH),
            welcome_contents(site, one, [], links, language=ENGLISH),
        ),
        "manage_link": (manage_link_contents(site, "manage-trial", language=ENGLISH),),
        "address_confirmation": (address_confirmation_contents(site, question, language=ENGLISH),),
        "address_changed": (address_changed_contents(site, "trial@trial.example", language=ENGLISH),),
        "digest": (
            digest_contents(site, [(full, many), (bare, one)], 30, many, links, language=ENGLISH),
            digest_contents(site, [(bare, one)], 1, one, links, language=ENGLISH),
        ),
        "test": (trial_contents(site, language=ENGLISH),),
    }
    return samples[mail]


def _article(*, full: bool) -> Article:
    at = datetime(2026, 1, 4, 12, tzinfo=UTC)
    bare = Item(item_id="bare", title="Trial")
    rich = Item(
        item_id="full",
        title="Trial ends well",
        summary=("It was short.", "It was fair."),
        body="Nobody who saw it will forget it soon. " * 10,
        url="https://trial.example/ends-well",
        author="A. Writer",
        tags=("Trial",),
        tickers=("HKG: 1",),
        language="en",
        published_at=at,
    )
    return Article(
        id=1,
        source_id=1,
        source_name="Trial source",
        item=rich if full else bare,
        content_hash="",
        first_seen_at=at,
        disposition=Disposition.ALERT,
    )
