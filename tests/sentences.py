"""Collect what is said to readers into alerts/languages/*.po, so that it can be translated there.

Run it from the repository's root, as `make languages` does. A sentence that is new stands there with an empty
translation, and one that is said no more is gone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
METHODS = [("templates/**", "jinja2"), ("alerts/**.py", "python")]
HEADER = """\
# What News Alert says to readers; `make languages` keeps the sentences up to date.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def catalogue_of_all() -> Catalog:
    """Return every sentence that a template or a module says, none translated."""
    found = Catalog(fuzzy=False)
    for folder in ("templates", "alerts"):
        methods = [(pattern.partition("/")[2], method) for pattern, method in METHODS if pattern.startswith(folder)]
        options = {pattern: {"silent": "false"} for pattern, method in methods if method == "jinja2"}
        for _file, _line, sentence, _comments, _context in extract_from_dir(
            ROOT / folder, methods, options, strip_comment_tags=True
        ):
            found.add(sentence)
    return found


def read(path: Path) -> Catalog:
    """Read a ``.po`` file."""
    with path.open("rb") as file:
        return read_po(file, locale=path.stem.replace("-", "_"))


def update(path: Path, found: Catalog) -> None:
    """Bring a ``.po`` file up to date; what was translated stays."""
    known = read(path)
    plural = known.plural_forms
    merged = Catalog(locale=known.locale, fuzzy=False)
    for message in found:
        if message.id:
            before = known.get(message.id)
            merged.add(message.id, before.string if before else "", flags=before.flags if before else ())
    with path.open("wb") as file:
        file.write(HEADER.format(language=path.stem, plural=plural).encode())
        write_po(file, merged, width=0, no_location=True, omit_header=True, sort_output=True)


def main() -> int:
    """Update every language's file."""
    found = catalogue_of_all()
    for path in sorted((ROOT / "alerts" / "languages").glob("*.po")):
        update(path, found)
        missing = len([message for message in read(path) if message.id and not all(strings(message.string))])
        sys.stdout.write(f"{path.relative_to(ROOT)}: {len(found)} sentences, {missing} not translated\n")
    return 0


def strings(said: str | tuple[str, ...] | list[str] | None) -> list[str]:
    """Return the forms of a sentence or a translation, one at least."""
    return [said or ""] if said is None or isinstance(said, str) else list(said)


if __name__ == "__main__":
    raise SystemExit(main())
