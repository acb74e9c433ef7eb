"""An edit is a value: two that say the same are one, and nobody changes it under a back-test."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from alerts.core.edits import Edit


def test_an_edit_is_a_value() -> None:
    edit = Edit(slug="nio", old="NIO", new="about:NIO")
    assert {edit, Edit(slug="nio", old="NIO", new="about:NIO")} == {edit}
    assert edit != Edit(slug="nio", old=None, new="about:NIO")
    with pytest.raises(FrozenInstanceError):
        edit.new = "NIO"  # type: ignore[misc]
