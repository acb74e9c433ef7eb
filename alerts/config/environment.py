"""Lays the environment over the tree: ``ALERTS_SITE__URL`` is ``site.url``. Whether a value is right, the keys say."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Environ

from alerts.config.document import Entry, Mapping, Node, Scalar, Sequence, read_document
from alerts.config.problems import Problems, meant

PREFIX = "ALERTS_"
NOT_KEYS = ("ALERTS_CONFIG",)
SIMILAR = 0.8


def override(root: Mapping, environ: Environ[str, str], known: Iterable[str], problems: Problems) -> None:
    """Put every variable that names a key into ``root``.

    A variable with ``__`` always means a key. One without means a key of the top, or something else that begins
    alike (an orchestrator sets ``ALERTS_SERVICE_HOST`` and the like), which is left alone unless it looks like a slip.
    """
    top = list(known)
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name not in NOT_KEYS):
        path = variable.removeprefix(PREFIX).lower().split("__")
        if len(path) > 1 or path[0] in top:
            _put(root, path, Scalar(variable, environ[variable], raw=True), problems)
        elif close := _slip(path[0], top):
            problems.note(variable, f"there is no such key; did you mean {PREFIX}{close.upper()}?")


def _slip(word: str, known: list[str]) -> str | None:
    close = meant(word, known)
    return close if close is not None and abs(len(close) - len(word)) <= 1 else None


def _put(node: Node, path: list[str], value: Scalar, problems: Problems) -> None:
    """Set ``value`` at ``path``; make the mappings that are missing on the way."""
    name, *rest = path
    if isinstance(node, Sequence):
        _put_in_list(node, name, rest, value, problems)
    elif not isinstance(node, Mapping):
        problems.note(value.place, f"nothing can be set inside {node.place}, which holds a single value")
    elif not rest:
        node.entries[name] = Entry(value.place, value)
    else:
        _put(_below(node, name, rest, value, problems), rest, value, problems)


def _below(node: Mapping, name: str, rest: list[str], value: Scalar, problems: Problems) -> Node:
    entry = node.entries.get(name)
    below = entry.node if entry else None
    if isinstance(below, Scalar) and below.raw and not below.is_null:  # ALERTS_MAIL='{…}' beside ALERTS_MAIL__SENDER
        below = read_document(below.text, below.place, problems, place=below.place)
    if below is None or (isinstance(below, Scalar) and below.is_null):
        below = Sequence(value.place) if rest[0].isdecimal() else Mapping(value.place)
    node.entries[name] = Entry(entry.place if entry else value.place, below)
    return below


def _put_in_list(node: Sequence, number: str, rest: list[str], value: Scalar, problems: Problems) -> None:
    """Set inside the item with this number, from 0; the next free number adds an item."""
    if not number.isascii() or not number.isdecimal() or int(number[:6]) > len(node.items):
        problems.note(value.place, f"{number.upper()!r} must be the number of an item, from 0 to {len(node.items)}")
        return
    index = int(number)
    if index == len(node.items):
        node.items.append(Mapping(value.place))
    if rest:
        _put(node.items[index], rest, value, problems)
    else:
        node.items[index] = value
