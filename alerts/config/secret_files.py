"""Reads a secret from the file that the config names; the secret itself never stands in a message."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from alerts.config.keys import Key, Reader

MOST_BYTES = 4096


def secret_of(reader: Reader, key: Key, folder: Path) -> SecretStr | None:
    """Return the secret in the file that a key names, if it names one; what is wrong is noted."""
    written = reader.take(key)
    if written is None:
        return None
    try:
        return read_secret(folder / written)
    except ValueError as error:
        reader.problems.note(reader.where(key.name), f"{key.name!r}: {error}")
        return None


def read_secret(path: Path) -> SecretStr:
    """Return the file's one line; raise ValueError that says what is wrong with the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise ValueError(f"{path} is empty")
    if len(content) > MOST_BYTES or not secret.isprintable():
        raise ValueError(f"{path} must hold the secret alone, on one line")
    return SecretStr(secret)
