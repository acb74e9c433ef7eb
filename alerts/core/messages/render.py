"""Templates to text: Jinja in a sandbox, every unknown name an error, HTML escaped. It reads no file (``alerts.mail``).

A mail ``alert`` is three templates: ``alert/subject.txt``, ``alert/text.txt``, ``alert/html.html``. Every sentence in
them stands in ``_("…", name=value)``, so that a language is one mapping of sentences and no template is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from gettext import NullTranslations

from css_inline import CSSInliner
from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from alerts.core.messages.headers import without_reply_marks
from alerts.core.messages.mime import tidy
from alerts.core.messages.wrap import wrap
from alerts.core.sentences import ENGLISH, N_, counter, spoken, translator

MAILS = ("alert", "confirmation", "welcome", "manage_link", "address_confirmation", "address_changed", "test", "digest")
PARTS = ("subject.txt", "text.txt", "html.html")

_INLINER = CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)
_MONTHS = (
    N_("January"),
    N_("February"),
    N_("March"),
    N_("April"),
    N_("May"),
    N_("June"),
    N_("July"),
    N_("August"),
    N_("September"),
    N_("October"),
    N_("November"),
    N_("December"),
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail as text, before any encoding; lines end in LF."""

    subject: str
    text: str
    html: str


class Templates(Mapping[str, str]):
    """Template sources by name, ready to render; ``catalogues`` maps a language to its sentences."""

    def __init__(self, sources: Mapping[str, str], catalogues: Mapping[str, NullTranslations] | None = None) -> None:
        self._sources = dict(sources)
        self._catalogues = {ENGLISH: NullTranslations(), **(catalogues or {})}
        self._environment = _environment(self._sources)

    def __getitem__(self, name: str) -> str:
        return self._sources[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    def language_for(self, *wishes: str | None) -> str:
        """Return the first language among these that the mails can be written in, else English."""
        return spoken(wishes, self._catalogues) or ENGLISH

    def render(self, mail: str, contents: Mapping[str, object], *, language: str) -> Rendered:
        """Render the three parts of a mail; raise jinja2.TemplateError for a template that is wrong."""
        catalogue = self._catalogues[self.language_for(language)]
        subject, text, html = (self._render(f"{mail}/{part}", contents, catalogue) for part in PARTS)
        return Rendered(subject=subject, text=tidy(text), html=tidy(_inlined(html)))

    def _render(self, name: str, contents: Mapping[str, object], catalogue: NullTranslations) -> str:
        html = name.endswith(".html")
        said = {"_": translator(catalogue, html=html), "ngettext": counter(catalogue, html=html)}
        return self._environment.get_template(name).render({**contents, **said})


def _environment(sources: Mapping[str, str]) -> ImmutableSandboxedEnvironment:
    def load(name: str) -> tuple[str, str, Callable[[], bool]]:
        if name not in sources:
            raise TemplateNotFound(name)
        return sources[name], name, lambda: True  # the name as file name: a traceback then shows where it broke

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name) and str(name).endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
    )
    environment.filters.update(wrapped=_wrapped, listed=_listed, dated=_dated, unreplied=without_reply_marks)
    return environment


def _wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    """Wrap a paragraph of a text mail; ``first`` and ``rest`` stand before its lines."""
    return wrap(str(text), first=first, rest=" " * len(first) if rest is None else rest)


@pass_context
def _listed(context: Context, names: Sequence[str], more: int = 0) -> str:
    """List names as a sentence does: "Xiaomi, Tesla and 3 more". In HTML what comes back is escaped already."""
    translate: Callable[..., str] = context["_"]
    every = [*names, translate(N_("{n} more"), n=more)] if more else list(names)
    *start, last = every
    if not start:
        return last
    return translate(N_("{names} and {last}"), names=translate(N_(", ")).join(start), last=last)


@pass_context
def _dated(context: Context, day: Mapping[str, int]) -> str:
    """Write a day as people do."""
    translate: Callable[..., str] = context["_"]
    month = translate(_MONTHS[day["month"] - 1])
    return translate(
        N_("{day} {month} {year}"), day=day["day"], month=month, month_number=day["month"], year=day["year"]
    )


def _inlined(html: str) -> str:
    """Move the styles into the elements, for mailboxes that drop ``<style>``; what is marked as kept stays too."""
    return _INLINER.inline(html).replace(' data-css-inline="keep"', "")
