"""The languages that we speak: a ``.po`` file each beside this one, read once, at start. Who hears which is elsewhere.

English is what the sentences are written in, so it has no file. To add a language: ``docs/languages.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

from babel.core import UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from alerts.core.errors import ConfigError
from alerts.core.language import declared_language
from alerts.core.sentences import ENGLISH

FOLDER = Path(__file__).parent
LARGEST = 4 << 20  # octets of a ``.po`` file


def catalogues(override: Path | None = None) -> Mapping[str, NullTranslations]:
    """Return every language's sentences by its tag, such as ``zh``; a sentence that one lacks comes in English.

    ``override`` is the operator's folder of templates: a ``languages/de.po`` in it adds a language, or replaces one.
    Raises ConfigError for a file that is no catalogue.
    """
    own = {} if override is None else _read_all(override / "languages")
    return MappingProxyType({ENGLISH: NullTranslations(), **_ours(), **own})


@cache
def _ours() -> Mapping[str, NullTranslations]:
    return _read_all(FOLDER)


def _read_all(folder: Path) -> Mapping[str, NullTranslations]:
    return {_tag(path): _read(path) for path in sorted(folder.glob("*.po"))}


def _tag(path: Path) -> str:
    tag = declared_language(path.stem)
    if tag is None:
        raise ConfigError(f"{path}: name it after its language, such as de.po or zh-Hant.po")
    return tag


def _read(path: Path) -> NullTranslations:
    compiled = BytesIO()
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ConfigError(f"{path}: it is larger than {LARGEST >> 20} MiB; that is no catalogue")
        write_mo(compiled, read_po(BytesIO(content), abort_invalid=True))
        compiled.seek(0)
        return GNUTranslations(compiled)
    except (OSError, PoFileError, ValueError, UnknownLocaleError) as error:
        raise ConfigError(f"{path}: it cannot be read as a .po file: {error}") from error
