"""Whatever is said to readers is said in every language that we speak, with the same places to fill."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sentences import ROOT, catalogue_of_all, read, strings

from alerts.core.errors import ConfigError
from alerts.languages import LARGEST, catalogues

MAY_DIFFER = {"n", "month", "month_number"}  # a number that its form says already; a month by its name or its number
FILES = sorted((ROOT / "alerts" / "languages").glob("*.po"))


def places(sentence: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", sentence))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_every_sentence_is_translated_and_none_is_left_over(path: Path) -> None:
    said = {message.id for message in catalogue_of_all() if message.id}
    known = read(path)
    assert {message.id for message in known if message.id} == said, "run `make languages`"
    assert [message.id for message in known if message.id and not all(strings(message.string))] == []
    assert [message.id for message in known if message.id and message.fuzzy] == []


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_translation_fills_the_same_places(path: Path) -> None:
    for message in read(path):
        if message.id:
            wanted = places(" ".join(strings(message.id)))
            for form in strings(message.string):
                assert places(form) - MAY_DIFFER == wanted - MAY_DIFFER, message.id


def test_a_place_in_a_chinese_sentence_has_room_on_both_sides() -> None:
    """What is put there may be a foreign word; where it is a Chinese one, the space goes (``core.sentences``)."""
    tight = re.compile(r"[\u4e00-\u9fff]\{|\}[\u4e00-\u9fff]")
    (chinese,) = (path for path in FILES if path.stem == "zh")
    said = [form for message in read(chinese) if message.id for form in strings(message.string)]
    assert [form for form in said if tight.search(form) and "{month_number}" not in form] == []


def test_chinese_has_the_punctuation_of_its_own() -> None:
    narrow = re.compile(r"[\u4e00-\u9fff][,.;:!?()]|[,;:!?()][\u4e00-\u9fff]|\.\.\.")
    (chinese,) = (path for path in FILES if path.stem == "zh")
    said = [form for message in read(chinese) if message.id for form in strings(message.string)]
    assert [form for form in said if narrow.search(form)] == []


def test_an_operator_adds_a_language_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / "de.po").write_text('msgid "Channels"\nmsgstr "Kanäle"\n', encoding="utf-8")
    spoken = catalogues(tmp_path)
    assert set(spoken) >= {"en", "zh", "de"}
    assert spoken["de"].gettext("Channels") == "Kanäle"
    assert spoken["de"].gettext("All channels") == "All channels"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("not a tag.po", b"", "name it after its language"),
        ("de.po", b'msgid "a', "cannot be read"),
        ("de.po", b'msgid "a"\nmsgstr "\xff"\n', "cannot be read"),
        ("de.po", b"#" * (LARGEST + 1), "larger than"),
    ],
)
def test_a_file_that_is_no_catalogue_is_named(tmp_path: Path, name: str, content: bytes, what: str) -> None:
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / name).write_bytes(content)
    with pytest.raises(ConfigError, match=what) as caught:
        catalogues(tmp_path)
    assert name in str(caught.value)
