"""The head of a Markdown file: YAML between ``---``, TOML between ``+++``, or a JSON object; it reads no Markdown.

YAML is composed, not constructed: a tag such as ``!!python/object`` is a label on a node that nobody obeys, and every
scalar stays the text that was written (``title: no``, ``title: 1.10``). What a key means, ``markdown`` knows.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from alerts.core.errors import ArticleError

LONGEST_HEAD = 64 << 10  # characters
LONGEST_TOML = 16 << 10  # a key of n dots costs its parser n² steps
DEEPEST_BRACKETS = 50  # YAML's parser takes seconds to find out that it is too deep in
MOST_NODES = 10_000  # an alias counts as often as it is used, so that a "billion laughs" is over soon

_YAML_END = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_TOML_END = re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)
_TOML_PLACE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The keys of a head, in lower case, and where each stands; an empty one for a file without a head."""

    values: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    def line(self, key: str) -> int:
        """Return the line of the file that ``key`` stands on (1 where the format does not tell)."""
        return self.lines.get(key, 1)


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Return the head and the Markdown below it; raise ArticleError, with the line, for a head that is broken."""
    body = text.lstrip("\n")
    skipped = len(text) - len(body)
    first, _, rest = body.partition("\n")
    if first.rstrip() == "---":
        head, below = _until(_YAML_END, rest, opened=skipped + 1, limit=LONGEST_HEAD)
        return _read_yaml(head, first_line=skipped + 2), below
    if first.rstrip() == "+++":
        head, below = _until(_TOML_END, rest, opened=skipped + 1, limit=LONGEST_TOML)
        return _read_toml(head, first_line=skipped + 2), below
    if re.match(r"\{\s*[\"}]", body):
        return _read_json(body, first_line=skipped + 1)
    return FrontMatter(), text


def _until(end: re.Pattern[str], rest: str, *, opened: int, limit: int) -> tuple[str, str]:
    found = end.search(rest)
    if found is None:
        raise ArticleError(f"line {opened}: the front matter that is opened here is never closed")
    if found.start() > limit:
        raise ArticleError(f"line {opened}: the front matter is longer than {limit >> 10} KiB")
    return rest[: found.start()], rest[found.end() :]


# --- YAML ---------------------------------------------------------------------------------------------------------


def _read_yaml(head: str, *, first_line: int) -> FrontMatter:
    if _depth_of_brackets(head) > DEEPEST_BRACKETS:
        raise ArticleError(f"line {first_line}: the front matter is nested too deeply")
    try:
        root = YAML(typ="safe", pure=True).compose(head)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = first_line + (mark.line if mark is not None else 0)
        problem = getattr(error, "problem", None) or "cannot be read"
        raise ArticleError(f"line {line}: the front matter is not YAML: {problem}") from error
    except (ValueError, AttributeError, TypeError, LookupError, AssertionError) as error:  # what its scanner trips over
        raise ArticleError(f"line {first_line}: the front matter is not YAML") from error
    if root is None:
        return FrontMatter()
    if not isinstance(root, MappingNode):
        raise ArticleError(f"line {first_line}: the front matter is not a list of keys and values")
    return _YamlReader(first_line).front_matter(root)


def _depth_of_brackets(head: str) -> int:
    """Return how many brackets are open at once; those within quotes count too, for nobody writes fifty."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", head))
    return max(accumulate(steps), default=0)


class _YamlReader:
    """Walks composed nodes, counting them."""

    def __init__(self, first_line: int) -> None:
        self.first_line = first_line
        self.nodes = 0

    def front_matter(self, root: MappingNode) -> FrontMatter:
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in root.value:
            line = self._line(key_node)
            if not isinstance(key_node, ScalarNode):
                raise ArticleError(f"line {line}: a key of the front matter is no text")
            key = str(key_node.value).strip().lower()
            if key in values:
                raise ArticleError(f"line {line}: the key {key!r} is there twice (first in line {lines[key]})")
            values[key], lines[key] = self._value(value_node), line
        return FrontMatter(values, lines)

    def _value(self, node: Node) -> object:
        """Return text, a list or a mapping; a null and an empty value are both an empty text."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise ArticleError(f"line {self._line(node)}: the front matter holds too many values")
        if isinstance(node, SequenceNode):
            return [self._value(child) for child in node.value]
        if isinstance(node, MappingNode):
            return {str(self._value(key)): self._value(value) for key, value in node.value}
        is_null = node.tag == "tag:yaml.org,2002:null"
        return "" if is_null else str(node.value)

    def _line(self, node: Node) -> int:
        return self.first_line + int(node.start_mark.line)


# --- TOML, JSON ---------------------------------------------------------------------------------------------------


def _read_toml(head: str, *, first_line: int) -> FrontMatter:
    try:
        values = tomllib.loads(head)
    except ValueError as error:  # TOMLDecodeError, and dates and numbers that no calendar and no int() takes
        place = _TOML_PLACE.search(str(error))
        line = first_line + (int(place[1]) - 1 if place else 0)
        raise ArticleError(f"line {line}: the front matter is not TOML: {_problem(error)}") from error
    lines = {
        found[1].lower(): first_line + number
        for number, line in enumerate(head.split("\n"))
        if (found := re.match(r"""["']?([\w-]+)["']?\s*=""", line))
    }
    return FrontMatter(_lowered(values.items(), first_line), lines)


def _read_json(body: str, *, first_line: int) -> tuple[FrontMatter, str]:
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _lowered(pairs, first_line))
    try:
        values, end = decoder.raw_decode(body[: LONGEST_HEAD + 1])
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise ArticleError(f"line {line}: the front matter is not JSON: {error.msg}, column {error.colno}") from error
    except ValueError as error:  # a number of thousands of digits
        raise ArticleError(f"line {first_line}: the front matter is not JSON: {_problem(error)}") from error
    return FrontMatter(values, dict.fromkeys(values, first_line)), body[end:]


def _lowered(pairs: Iterable[tuple[str, object]], first_line: int) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, value in pairs:
        lowered = key.strip().lower()
        if lowered in values:
            raise ArticleError(f"line {first_line}: the key {lowered!r} is there twice in the front matter")
        values[lowered] = value
    return values


def _problem(error: ValueError) -> str:
    return _TOML_PLACE.split(str(error))[0].strip().rstrip(":;,")[:200]
