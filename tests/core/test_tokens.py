"""Tokens: sealed, of one length, for one purpose, for ever; Mallory gets nothing out of garbage."""

from __future__ import annotations

import base64
import hmac
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.tokens import (
    CONFIRMATION_LENGTH,
    TOKEN_LENGTH,
    Purpose,
    Secrets,
    TokenClaims,
    _keyed,
    confirmation_token,
    hash_address,
    hash_token,
    proof_key,
    read,
    sign,
)

OLD = (1, b"o" * 32)
NEW = (2, b"n" * 32)
SECRETS = Secrets((OLD,))
ROTATED = Secrets((NEW, OLD))
ids = st.integers(min_value=0, max_value=2**63 - 1)
purposes = st.sampled_from(Purpose)
salts = st.binary(min_size=16, max_size=16)


@given(purposes, ids, ids)
def test_a_token_is_read_back_and_is_44_url_safe_characters(purpose: Purpose, subscriber: int, article: int) -> None:
    token = sign(purpose, subscriber, article, ROTATED)
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}", token)
    assert read(token, purpose, ROTATED) == TokenClaims(subscriber, article)


@given(purposes, ids, ids)
def test_the_same_numbers_make_the_same_token(purpose: Purpose, subscriber: int, article: int) -> None:
    assert sign(purpose, subscriber, article, SECRETS) == sign(purpose, subscriber, article, Secrets((OLD,)))


@given(purposes, purposes, ids, ids)
def test_a_token_serves_one_purpose_only(made_for: Purpose, used_for: Purpose, subscriber: int, article: int) -> None:
    token = sign(made_for, subscriber, article, SECRETS)
    assert (read(token, used_for, SECRETS) is not None) == (made_for is used_for)


@given(purposes, ids, ids)
def test_an_old_token_stays_valid_after_the_secrets_rotate(purpose: Purpose, subscriber: int, article: int) -> None:
    before = sign(purpose, subscriber, article, SECRETS)
    assert read(before, purpose, ROTATED) == TokenClaims(subscriber, article)
    assert sign(purpose, subscriber, article, ROTATED) != before


def test_a_token_made_with_a_secret_that_we_do_not_have_is_nobodys() -> None:
    assert read(sign(Purpose.MANAGE, 7, 9, Secrets((NEW,))), Purpose.MANAGE, SECRETS) is None
    assert read(sign(Purpose.MANAGE, 7, 9, Secrets(((1, b"x" * 32),))), Purpose.MANAGE, SECRETS) is None


@given(ids, ids, st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_changing_any_character_makes_garbage(subscriber: int, article: int, at: int, other: str) -> None:
    token = sign(Purpose.UNSUBSCRIBE, subscriber, article, ROTATED)
    forged = token[:at] + other + token[at + 1 :]
    assert forged == token or read(forged, Purpose.UNSUBSCRIBE, ROTATED) is None


@given(st.text() | st.text(alphabet=string.printable, min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH))
def test_any_string_has_an_answer(text: str) -> None:
    assert read(text, Purpose.MANAGE, ROTATED) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * TOKEN_LENGTH,
        "é" * TOKEN_LENGTH,
        "\ud800" * TOKEN_LENGTH,
        "٣" * TOKEN_LENGTH,
        "=" * TOKEN_LENGTH,
        "A" * 10**6,
        "\0",
    ],
)
def test_what_cannot_be_a_token_is_nobodys(text: str) -> None:
    assert read(text, Purpose.MANAGE, SECRETS) is None


def test_only_one_spelling_of_a_token_is_read() -> None:
    tokens = [sign(Purpose.MANAGE, number, 0, SECRETS) for number in range(50)]
    spelt = next(token for token in tokens if "-" in token or "_" in token)
    assert read(spelt.replace("-", "+").replace("_", "/"), Purpose.MANAGE, SECRETS) is None
    assert read(spelt + "\n", Purpose.MANAGE, SECRETS) is None


def test_the_ids_cannot_be_seen_in_a_token() -> None:
    octets = [base64.urlsafe_b64decode(sign(Purpose.UNSUBSCRIBE, number, 5, SECRETS)) for number in (1, 2)]
    assert bytes(6) not in octets[0][1:]
    same = sum(one == two for one, two in zip(octets[0][1:], octets[1][1:], strict=True))
    assert same < 8  # two neighbours have nothing in common but the key id


def test_secrets_do_not_show_themselves() -> None:
    assert "oooo" not in repr(SECRETS)
    assert "oooo" not in str(SECRETS)


@pytest.mark.parametrize(
    "secrets",
    [(), ((0, b"x" * 32),), ((256, b"x" * 32),), ((1, b"short"),), ((1, b"x" * 32), (1, b"y" * 32))],
    ids=["none", "id 0", "id 256", "too short", "one id twice"],
)
def test_unusable_secrets_are_refused(secrets: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        Secrets(secrets)


def test_the_newest_secret_signs_and_the_oldest_hashes_whatever_their_order() -> None:
    assert ROTATED.newest == NEW
    assert ROTATED.oldest == OLD
    assert list(ROTATED) == [OLD, NEW]
    assert hash_address(ROTATED, "alice@example.com") == hash_address(SECRETS, "alice@example.com")
    assert hash_address(ROTATED, "alice@example.com") != hash_address(ROTATED, "bob@example.com")


@given(st.binary(min_size=1, max_size=64), st.binary())
def test_the_prepared_hmac_is_hmac(key: bytes, message: bytes) -> None:
    assert _keyed(key)(message) == hmac.digest(key, message, "sha256")


@given(ids, salts)
def test_a_confirmation_token_depends_on_secret_request_and_salt(number: int, salt: bytes) -> None:
    token = confirmation_token(SECRETS, number, salt)
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{{CONFIRMATION_LENGTH}}}", token)
    assert token != confirmation_token(Secrets((NEW,)), number, salt)
    assert token != confirmation_token(SECRETS, number + 1, salt)
    assert token != confirmation_token(SECRETS, number, bytes(octet ^ 1 for octet in salt))


@given(ids, salts)
def test_a_confirmation_token_is_the_same_after_the_secrets_rotate(number: int, salt: bytes) -> None:
    assert confirmation_token(ROTATED, number, salt) == confirmation_token(SECRETS, number, salt)


@given(st.text())
def test_hashing_a_token_never_fails(text: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", hash_token(text))
    assert re.fullmatch("[0-9a-f]{64}", hash_token(text + "\ud800"))


def test_the_key_of_proofs_outlives_a_rotation_and_is_no_other_key() -> None:
    assert proof_key(SECRETS) == proof_key(Secrets((OLD, NEW)))
    assert proof_key(SECRETS) != proof_key(Secrets((NEW,)))
    assert proof_key(SECRETS) != OLD[1]
