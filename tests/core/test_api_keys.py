"""How a key looks, and what is kept of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.api_keys import PREFIX, RANDOM_SIZE, bearer_of, hash_of, is_key_name, make_key

KEY = make_key(bytes(range(RANDOM_SIZE)))


@given(st.binary(min_size=RANDOM_SIZE, max_size=RANDOM_SIZE))
def test_every_key_begins_as_secret_scanners_know_it_and_is_kept_as_something_else(random: bytes) -> None:
    key = make_key(random)
    assert key.startswith(PREFIX)
    kept = hash_of(key)
    assert kept is not None
    assert key.removeprefix(PREFIX) not in kept


@given(st.text())
def test_what_is_no_key_has_no_hash(text: str) -> None:
    assert hash_of(text) is None


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer  {KEY} "])
def test_a_key_is_found_in_its_header(header: str) -> None:
    assert bearer_of(header) == hash_of(KEY) is not None


@pytest.mark.parametrize("header", [None, "", KEY, f"Basic {KEY}", "Bearer", f"Bearer {KEY}x"])
def test_other_headers_hold_none(header: str | None) -> None:
    assert bearer_of(header) is None


def test_names_are_small_and_plain() -> None:
    assert [name for name in ("cms", "a", "my-cms.2", "x" * 60) if not is_key_name(name)] == []
    assert [name for name in ("", "CMS", "-a", "a-", "a b", "小米", "x" * 61) if is_key_name(name)] == []
