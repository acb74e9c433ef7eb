"""The labelled texts in ``tests/labelled``, read as the folder source reads them, and what ``about:`` says of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alerts.core.boilerplate import trim
from alerts.core.model import Item
from alerts.core.query import evaluate, parse, prepare
from alerts.sources.formats import read_items

FOLDER = Path(__file__).parents[1] / "labelled"
HALVES = ("tuning", "held_out")  # the second was not looked at when weights were set


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One name in one text: what a reader says, and what ``about:`` says."""

    text: str
    name: str
    is_subject: bool
    matched: bool
    why: str


def texts(half: str) -> Iterator[tuple[Item, dict[str, list[str]]]]:
    """Give every text of a half with its labels."""
    labels = tomllib.loads((FOLDER / half / "labels.toml").read_text("utf-8"))
    for name, label in labels.items():
        path = FOLDER / half / f"{name}.txt"
        yield read_items(path.name, path.read_bytes()).items[0].item, label


def judgements(half: str) -> Iterator[Judgement]:
    """Ask ``about:`` for every labelled name."""
    for item, labels in texts(half):
        prepared = prepare(trim(item).item, source_name="Test")
        for label, names in labels.items():
            for name in names:
                verdict = evaluate(parse(f"about:{name}"), prepared)
                yield Judgement(
                    text=item.item_id,
                    name=name,
                    is_subject=label == "about",
                    matched=verdict.matched,
                    why=verdict.why,
                )


def precision(judged: Sequence[Judgement]) -> float:
    """Return the share of true subjects among what matched."""
    matched = [one for one in judged if one.matched]
    return sum(one.is_subject for one in matched) / len(matched)


def recall(judged: Sequence[Judgement]) -> float:
    """Return the share of the true subjects that matched."""
    subjects = [one for one in judged if one.is_subject]
    return sum(one.matched for one in subjects) / len(subjects)
