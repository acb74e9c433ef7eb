"""The documents that can be checked are."""

from __future__ import annotations

import enum
import re
from pathlib import Path

import pytest

from alerts.core import deliveries, model, subscriptions

DOCS = Path(__file__).parents[2] / "docs"

ENUMS = [
    kind
    for kind in vars(model).values()
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and kind.__module__ == model.__name__
]


def rows(name: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    section = (DOCS / name).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("kind", ENUMS, ids=[kind.__name__ for kind in ENUMS])
def test_every_value_is_in_the_list_of_words(kind: type[enum.Enum]) -> None:
    (said,) = [values for name, values in rows("words.md", "Values") if name == kind.__name__]
    assert re.findall(r"`(\w+)`(?=[:,]| \w+:)", said) == [str(member.value) for member in kind]


def test_the_list_of_words_has_no_kind_that_is_gone() -> None:
    assert [name for name, _ in rows("words.md", "Values")] == [kind.__name__ for kind in ENUMS]


def test_the_states_of_a_subscription_are_told_as_they_are() -> None:
    told = {(before, event, after) for before, event, after in rows("states.md", "Subscription")}
    assert told == {
        (before.value if before else "none", event.value, after.value)
        for (before, event), after in subscriptions.TRANSITIONS.items()
    }


def test_the_states_of_a_delivery_are_told_as_they_are() -> None:
    told = {(before, after) for before, after, _ in rows("states.md", "Delivery")}
    assert told == {
        (before.value, after.value) for before, afters in deliveries.TRANSITIONS.items() for after in afters
    }


def test_every_state_of_a_source_is_told() -> None:
    assert [state for state, *_ in rows("states.md", "Source")] == [state.value for state in model.SourceState]


def test_decisions_are_numbered_and_have_their_parts() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        for part in ("\n## Context\n", "\n## Decision\n", "\n## Consequences\n"):
            assert part in text, f"{page.name} lacks {part.strip()}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_between_documents_lead_somewhere(page: str) -> None:
    text = (DOCS.parent / page).read_text(encoding="utf-8")
    places = [place for place in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in place]
    assert [place for place in places if not (DOCS.parent / place).exists()] == []
