"""Templates from a folder, the operator's over ours, each tried before it is trusted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mail_rules import subject_of, texts_of, violations
from mails import ALICE, alert

from alerts.core.errors import ConfigError
from alerts.mail import templates
from alerts.mail.templates import load_templates


def overridden(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return folder


def test_ours_are_sound(tmp_path: Path) -> None:
    """An operator's folder has every mail tried."""
    assert dict(load_templates(tmp_path)) == dict(load_templates(None))


def test_an_installation_that_lacks_one_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = tmp_path / "ours"
    shutil.copytree(templates.shipped_folder(), ours)
    (ours / "alert" / "html.html").unlink()
    monkeypatch.setattr(templates, "shipped_folder", lambda: ours)

    with pytest.raises(ConfigError, match=r"ours: alert/html\.html is missing; install"):
        load_templates(None)


@pytest.mark.parametrize("prefix", ["", "email/"])
def test_an_operators_template_takes_the_place_of_ours(tmp_path: Path, prefix: str) -> None:
    own = load_templates(overridden(tmp_path, f"{prefix}alert/subject.txt", "Breaking: {{ article.title }}\r\n"))
    raw = alert(templates=own)

    assert subject_of(raw) == "Breaking: Xiaomi opens its third car plant two months early"
    assert violations(raw, rcpt=ALICE, site_host="news.example") == []


def test_an_operators_layout_is_used_by_our_mails(tmp_path: Path) -> None:
    layout = "{% block content %}{% endblock %}\n-- house style --\n{% block reason %}{% endblock %}"
    text, _ = texts_of(alert(templates=load_templates(overridden(tmp_path, "layout.txt", layout))))

    assert "-- house style --" in text


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("alert/text.txt", "one\n{% if %}", r"alert/text\.txt, line 2: Expected an expression"),
        ("alert/text.txt", "one\n\n{{ artikel.title }}", r"alert/text\.txt, line 3: 'artikel' is undefined"),
        ("alert/html.html", "{{ article.headline }}", r"alert/html\.html, line 1: .*no attribute 'headline'"),
        ("alert/subject.txt", "{{ article.title|shout }}", r"alert/subject\.txt, line 1: No filter named 'shout'"),
        ("alert/subject.txt", "{{ 1 // 0 }}", r"alert/subject\.txt, line 1: .*zero"),
        ("alert/subject.txt", "{{ _('{who}') }}", r"alert/subject\.txt, line 1: 'who'"),
        ("alert/subject.txt", "  \n", r"alert/subject\.txt: renders to nothing"),
        ("alert/text.txt", "{{ article.title }}", r"alert/text\.txt: must show \{\{ unsubscribe_url \}\}"),
        ("confirmation/html.html", "<p>Hello</p>", r"confirmation/html\.html: must show \{\{ confirm_url \}\}"),
        ("welcome/text.txt", "{{ latest }}", r"welcome/text\.txt: must show \{\{ unsubscribe_url \}\}"),
        ("test/text.txt", "{% include 'footer.txt' %}", r"there is no footer\.txt"),
        ("layout.html", "{{ ''.__class__ }}", r"layout\.html, line 1: .*unsafe"),
    ],
)
def test_a_wrong_template_is_named_with_its_line(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_templates(overridden(tmp_path, name, text))


def test_a_folder_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no folder"):
        load_templates(tmp_path / "nowhere")


def test_a_template_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    overridden(tmp_path, "alert/text.txt", "")
    (tmp_path / "alert/text.txt").write_bytes(b"caf\xe9")

    with pytest.raises(ConfigError, match=r"text\.txt: not UTF-8 \(octet 3\)"):
        load_templates(tmp_path)


def test_a_template_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="256 KiB"):
        load_templates(overridden(tmp_path, "alert/text.txt", "x" * 300_000))


def test_a_template_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "alert").mkdir()
    (tmp_path / "alert" / "text.txt").symlink_to("text.txt")

    load_templates(tmp_path)  # a broken link is no file: ours is used


def test_other_files_beside_the_templates_are_left_alone(tmp_path: Path) -> None:
    overridden(tmp_path, "README.md", "{{ not a template")

    assert "README.md" not in load_templates(tmp_path)
