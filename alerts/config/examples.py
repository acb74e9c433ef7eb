"""Reads ``must`` and ``must_not`` beside a channel: articles that its query is tried on. Trying is not done here."""

from __future__ import annotations

import os
from pathlib import Path

from alerts.config import options
from alerts.config.document import Mapping, Node, Scalar, exact_place
from alerts.config.keys import Reader
from alerts.config.model import ExampleConfig
from alerts.config.problems import Problems, meant
from alerts.core.items import make_item
from alerts.core.text import clean_line, excerpt

MOST_EXAMPLES = 200  # in one list
_QUOTED = 60  # characters of a headline in a hint


def read_examples(reader: Reader, folder: Path) -> tuple[ExampleConfig, ...]:
    """Read both lists of a channel's ``reader``; a file's path starts at ``folder``. What is wrong is noted."""
    found: list[ExampleConfig | None] = []
    for name, must in zip(options.EXAMPLES, (True, False), strict=True):
        nodes = reader.nodes(name)
        if len(nodes) > MOST_EXAMPLES:
            reader.note(name, f"it has more than {MOST_EXAMPLES} examples")
        for number, node in enumerate(nodes[:MOST_EXAMPLES]):
            path = f"{reader.path}.{name}[{number}]"
            found.append(_read(node, path, folder, reader.problems, must=must))
    return tuple(example for example in found if example is not None)


def _read(node: Node, path: str, folder: Path, problems: Problems, *, must: bool) -> ExampleConfig | None:
    place = exact_place(node)
    if isinstance(node, Scalar):
        title = "" if node.is_null else node.text
        return _example(place, path, problems, must=must, title=title)
    reader = Reader(node, place, path, problems)
    if options.EXAMPLE_FILE.name in reader:
        return _file(reader, folder, must=must)
    if not isinstance(node, Mapping) or _is_headline(node, reader):
        return None
    return _article(reader, must=must)


def _is_headline(node: Mapping, reader: Reader) -> bool:
    """Note a headline with a colon, which YAML takes for a key with a value."""
    if len(node.entries) != 1:
        return False
    ((key, entry),) = node.entries.items()
    if meant(key, options.EXAMPLE_KEYS) is not None or not isinstance(entry.node, Scalar):
        return False
    reader.problems.note(reader.place, f"{reader.path!r}: put a headline with ': ' in quotes: '{key[:_QUOTED]}: …'")
    return True


def _article(reader: Reader, *, must: bool) -> ExampleConfig | None:
    reader.refuse_unknown([*options.EXAMPLE_KEYS, options.EXAMPLE_FILE.name])
    return _example(
        reader.place,
        reader.path,
        reader.problems,
        must=must,
        title=reader.take(options.EXAMPLE_TITLE),
        body=reader.take(options.EXAMPLE_BODY) or "",
        language=reader.take(options.EXAMPLE_LANGUAGE),
        source=reader.take(options.EXAMPLE_SOURCE) or "",
        summary=reader.texts("summary"),
        tags=reader.texts("tags"),
    )


def _example(  # what an article file could say too
    place: str,
    path: str,
    problems: Problems,
    *,
    must: bool,
    title: str | None,
    body: str = "",
    language: str | None = None,
    source: str = "",
    summary: list[str] | None = None,
    tags: list[str] | None = None,
) -> ExampleConfig | None:
    if title is None:  # missing, which is noted already
        return None
    if not clean_line(title):
        problems.note(place, f"{path!r} is empty; write a headline, or title, summary, body …")
        return None
    item = make_item(
        item_id=excerpt(title, _QUOTED),
        title=title,
        body=body,
        language=language,
        summary=summary or (),
        tags=tags or (),
    )
    return ExampleConfig(must=must, item=item, file=None, source=source, place=place)


def _file(reader: Reader, folder: Path, *, must: bool) -> ExampleConfig | None:
    reader.refuse_unknown(options.EXAMPLE_FILE_KEYS)
    written: str | None = reader.take(options.EXAMPLE_FILE)
    source = reader.take(options.EXAMPLE_SOURCE) or ""
    if not written:
        return None
    path = Path(os.path.normpath(folder / written.replace("\0", "?")))
    return ExampleConfig(must=must, item=None, file=path, source=source, place=reader.place)
