"""The API's description is sound, and says what the code does."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from openapi_spec_validator import validate
from starlette.routing import Route
from test_api_articles import ARTICLES, ITEM, Cms
from website import ParserHere, website

from alerts.core.posted import MEMBERS, Post, check_post
from alerts.services.keys import add_key
from alerts.storage.engine import Database
from alerts.web.api import articles, openapi
from alerts.web.api.openapi import description

DOCUMENT = description("https://daily.example")
NOW = datetime.fromisoformat("2026-01-05T12:00:00Z")


@cache
def schema_of(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def test_the_description_is_sound() -> None:
    validate(DOCUMENT)


def test_it_names_every_route_and_method_and_no_other() -> None:
    served = set()
    for route in (*articles.ROUTES, *openapi.ROUTES):
        assert isinstance(route, Route)
        methods = route.methods or {name.upper() for name in vars(route.endpoint) if name in {"get", "post"}}
        served |= {(route.path.replace(":int", ""), method.lower()) for method in methods - {"HEAD"}}
    assert {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods} == served


async def test_anybody_may_read_it_and_answers_are_as_it_says(
    sqlite_db: Database, tmp_path: Path, now: datetime
) -> None:
    async with website(sqlite_db, tmp_path, now, parser=ParserHere()) as web:
        cms = Cms(web, (await add_key(sqlite_db, "cms", now=now)).secret)
        assert (await web.visitor.get(openapi.PATH)).json() == description(web.app.config.site.url)
        placed = (await cms.post(ITEM)).json()
        schema_of("Placed").validate(placed)
        schema_of("Report").validate((await cms.get(placed["article"])).json())
        for body in (b"{", b"{}", b"[]"):
            schema_of("Problem").validate((await cms.post(body)).json())
        schema_of("Problem").validate((await web.visitor.post(ARTICLES)).json())


GOOD: dict[str, Any] = {"title": "T", "tags": ["a"], "authors": [{"name": "Mia"}], "language": "en", "image": 1}
VALUES = st.sampled_from([None, 1, "", "x", "x" * 301, [], [1], ["a"], {}, {"name": "Mia"}, [{"name": "Mia"}], "en"])
ITEMS = st.dictionaries(st.sampled_from([*MEMBERS, "_x", "wrong"]), VALUES, max_size=4)


@given(ITEMS)
def test_what_the_code_takes_the_description_allows(changes: dict[str, Any]) -> None:
    item = {"id": "1", **GOOD, **changes}
    if isinstance(check_post(item, now=NOW), Post):
        schema_of("Item").validate(item)


@pytest.mark.parametrize("item", [{"title": "T"}, {"id": "1"}, {"id": 1, "title": "T"}, {"id": "1", "titel": "T"}])
def test_what_the_code_refuses_for_its_shape_the_description_forbids(item: dict[str, Any]) -> None:
    assert not isinstance(check_post(item, now=NOW), Post)
    assert not schema_of("Item").is_valid(item)


def test_the_example_in_the_manual_is_taken() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    example = json.loads(manual.split("```json\n")[1].split("```")[0])
    assert isinstance(check_post(example, now=NOW), Post)
