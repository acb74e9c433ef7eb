"""Which language a text is taken to be in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.language import declared_language, guess_language


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("EN-us", "en-US"),
        ("zh_CN", "zh-CN"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("en_US.UTF-8", "en-US"),
        ("sl-nedis", "sl-nedis"),
        (" de ", "de"),
        ("", None),
        (None, None),
        ("English", None),
        ("e", None),
        ("en us", None),
    ],
)
def test_a_declared_language_becomes_a_tidy_tag(written: str | None, tag: str | None) -> None:
    assert declared_language(written) == tag


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("小米汽车发布新车", "zh"),
        ("小米 SU7 Ultra 发布,售价公布", "zh"),
        ("トヨタは新型車を発表した", "ja"),
        ("日産自動車が新型電気自動車を発表", "ja"),
        ("현대자동차, 새 전기차 공개", "ko"),
        ("Xiaomi (小米) opens a plant in Beijing", None),
        ("Xiaomi opens a plant", None),
        ("123 456", None),
        ("", None),
    ],
)
def test_only_a_script_that_settles_it_is_guessed(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert guess_language(text) in {"zh", "ja", "ko", None}
    tag = declared_language(text)
    assert tag is None or declared_language(tag) == tag
