"""Templates to text."""

from __future__ import annotations

from gettext import NullTranslations

import pytest
from jinja2 import TemplateError, TemplateNotFound, UndefinedError
from mails import shipped

from alerts.core.messages.render import Rendered, Templates


class Sentences(NullTranslations):
    def __init__(self, known: dict[str, str]) -> None:
        super().__init__()
        self._known = known

    def gettext(self, message: str) -> str:
        return self._known.get(message, message)


def render(text: str = "", html: str = "", *, language: str = "en", **contents: object) -> Rendered:
    sources = {"alert/subject.txt": "S", "alert/text.txt": text, "alert/html.html": html}
    chinese = {
        "{n} by {who}": "{who}的{n}",
        " and ": "和",
        "{names} and {last}": "{names}和{last}",
        ", ": "、",
        "x < y": "a & b",
    }
    return Templates(sources, {"zh": Sentences(chinese)}).render("alert", contents, language=language)


def test_templates_are_a_mapping_of_their_sources() -> None:
    templates = Templates({"a.txt": "A"})

    assert dict(templates) == {"a.txt": "A"}
    assert len(templates) == 1
    assert "alert/html.html" in shipped()


def test_html_is_escaped_and_text_is_not() -> None:
    rendered = render("{{ x }}", "<p>{{ x }}</p>", x='<b>"&')

    assert rendered.text == '<b>"&\n'
    assert '<p>&lt;b&gt;"&amp;</p>' in rendered.html


def test_a_sentence_is_escaped_with_its_values() -> None:
    rendered = render("{{ _('{n} by {who}', n=1, who='<b>') }}", "<p>{{ _('{n} < {who}', n=1, who='<b>') }}</p>")

    assert rendered.text == "1 by <b>\n"
    assert "<p>1 &lt; &lt;b&gt;</p>" in rendered.html


@pytest.mark.parametrize(
    ("language", "text"), [("en", "1 by A"), ("zh", "A的1"), ("zh_Hans-CN", "A的1"), ("?", "1 by A")]
)
def test_a_sentence_is_in_the_language_of_the_mail_or_a_wider_one(language: str, text: str) -> None:
    assert render("{{ _('{n} by {who}', n=1, who='A') }}", language=language).text == text + "\n"


def test_a_translation_is_no_markup() -> None:
    assert "<p>a &amp; b</p>" in render(html="<p>{{ _('x < y') }}</p>", language="zh").html


@pytest.mark.parametrize(
    ("names", "more", "text"),
    [
        (["Xiaomi"], 0, "Xiaomi"),
        (["Xiaomi", "Tesla"], 0, "Xiaomi and Tesla"),
        (["Xiaomi", "Tesla", "Ford"], 0, "Xiaomi, Tesla and Ford"),
        (["Xiaomi", "Tesla"], 3, "Xiaomi, Tesla and 3 more"),
    ],
)
def test_names_are_listed_as_a_sentence_does(names: list[str], more: int, text: str) -> None:
    assert render("{{ names|listed(more) }}", names=names, more=more).text == text + "\n"


def test_names_in_html_are_escaped_once() -> None:
    assert "<p>A&amp;B and &lt;C&gt;</p>" in render(html="<p>{{ names|listed }}</p>", names=["A&B", "<C>"]).html


def test_names_in_a_sentence_in_html_are_escaped_once() -> None:
    html = "<p>{{ _('{n} by {who}', n=1, who=names|listed) }}</p>"

    assert "<p>1 by A&amp;B and &lt;C&gt;</p>" in render(html=html, names=["A&B", "<C>"]).html
    assert "<p>1 by A&amp;B</p>" in render(html=html, names=["A&B"]).html


def test_a_day_is_written_as_people_do() -> None:
    assert render("{{ day|dated }}", day={"year": 2026, "month": 1, "day": 4}).text == "4 January 2026\n"


def test_a_paragraph_wraps_under_its_mark() -> None:
    text = render("{{ x|wrapped(first='• ') }}|{{ x|wrapped(first='> ', rest='> ') }}", x="word " * 20).text

    assert "\n  word" in text
    assert "\n> word" in text


def test_styles_move_into_elements_but_for_those_that_are_kept() -> None:
    html = (
        "<!doctype html><html><head><style>p { color: red }</style>"
        '<style data-css-inline="keep">@media print { p { color: black } }</style></head><body><p>x</p></body></html>'
    )
    rendered = render(html=html).html

    assert '<p style="color: red;">x</p>' in rendered
    assert "<style>@media print" in rendered


@pytest.mark.parametrize(
    "template",
    ["{{ nobody }}", "{{ x.nobody }}", "{{ x.__class__.__mro__ }}", "{{ x.append(1) }}", "{% include 'other.txt' %}"],
)
def test_what_a_template_may_not_do_is_an_error(template: str) -> None:
    with pytest.raises(TemplateError):
        render(template, x=["y"])


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="nobody"):
        render("{{ nobody }}")


def test_a_mail_without_templates_is_an_error() -> None:
    with pytest.raises(TemplateNotFound):
        Templates({}).render("alert", {}, language="en")
