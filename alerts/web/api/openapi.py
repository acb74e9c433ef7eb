"""The API's description, OpenAPI 3.1, at ``/api/v1/openapi.json``: made of the table that posts are checked by."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts import __version__
from alerts.core.model import DeliveryState, Disposition, Novelty
from alerts.core.posted import MEMBERS, MOST_ITEMS, UNUSED, WITH_TEXT
from alerts.web.api import articles
from alerts.web.api.problems import MEDIA_TYPE
from alerts.web.state import state_of

PATH = "/api/v1/openapi.json"
Schema = dict[str, Any]


def description(server: str) -> Schema:
    """Return the whole document; ``server`` is the site's address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "News Alert",
            "version": __version__,
            "description": "For a publisher's system: post articles the moment they are published.",
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "paths": {
            articles.PATH: {"post": _post()},
            f"{articles.PATH}/{{id}}": {"get": _get()},
            PATH: {"get": _self()},
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "`alerts keys add NAME`"}},
            "schemas": {
                "Item": _item(),
                "Placed": _placed(),
                "Report": _report(),
                "Problem": _problem(),
            },
        },
    }


async def openapi(request: Request) -> Response:
    """Give the description; anybody may read it."""
    site = state_of(request).app.config.site
    headers = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(description(site.url.rstrip("/")), headers=headers)


def _post() -> Schema:
    one_or_many = {
        "oneOf": [_ref("Item"), {"type": "array", "items": _ref("Item"), "minItems": 1, "maxItems": MOST_ITEMS}]
    }
    said = {"oneOf": [_ref("Placed"), _object(articles={"type": "array", "items": _ref("Placed")})]}
    return {
        "operationId": "postArticles",
        "summary": "Post an article, or up to a hundred; all of it is stored, or nothing.",
        "description": "Idempotent by `id`: sent again, nothing is mailed again.",
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": one_or_many} for kind in articles.TAKEN},
        },
        "responses": {
            "201": _json("Stored; at least one is new.", said),
            "200": _json("All of it was known; what had changed is stored.", said),
            **_problems(
                {
                    "400": "The body is no JSON.",
                    "401": "No key, or one that is unknown or revoked.",
                    "403": "The operator takes nothing from this key now.",
                    "408": "The body came too slowly. Nothing was stored.",
                    "413": f"More than {articles.MAX_POST_BYTES} bytes.",
                    "415": "Not JSON by its Content-Type.",
                    "422": "`errors` names each mistake. Nothing was stored.",
                    "429": "The key's budget is used up; Retry-After says for how long.",
                    "503": "The records cannot be reached. Nothing was stored.",
                }
            ),
        },
    }


def _get() -> Schema:
    number = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    return {
        "operationId": "reportOnArticle",
        "summary": "What became of an article: its channels, and how many mails about it are in which state.",
        "parameters": [{**number, "description": "The number `article` of a post's answer."}],
        "responses": {
            "200": _json("The article.", _ref("Report")),
            **_problems(
                {
                    "401": "No key, or one that is unknown or revoked.",
                    "404": "No article of this key has this number.",
                    "503": "The records cannot be reached.",
                }
            ),
        },
    }


def _self() -> Schema:
    return {
        "operationId": "describe",
        "summary": "This document.",
        "security": [],
        "responses": {"200": _json("OpenAPI 3.1.", {"type": "object"})},
    }


def _item() -> Schema:
    return {
        "type": "object",
        "description": "An item of a JSON Feed, https://www.jsonfeed.org/version/1.1/.",
        "required": ["id"],
        "anyOf": [{"required": [name]} for name in WITH_TEXT],
        "properties": {
            **{name: {**member.schema, "description": member.about} for name, member in MEMBERS.items()},
            **{name: {"description": "Taken, and not used."} for name in UNUSED},
        },
        "patternProperties": {"^_": {"description": "An extension; taken, and not used."}},
        "additionalProperties": False,
    }


def _placed() -> Schema:
    return _object(
        article={"type": "integer", "description": "Our number of the article."},
        id={"type": "string"},
        novelty={"enum": [one.value for one in Novelty]},
        disposition={"enum": [one.value for one in Disposition], "description": "Only what is `alert` is mailed."},
        status_url={"type": "string", "format": "uri"},
    )


def _report() -> Schema:
    moment = {"type": "string", "format": "date-time"}
    return _object(
        article={"type": "integer"},
        id={"type": "string"},
        title={"type": "string"},
        url={"type": ["string", "null"], "format": "uri"},
        disposition={"enum": [one.value for one in Disposition]},
        first_seen_at=moment,
        matched_at={"type": ["string", "null"], "format": "date-time"},
        set_aside={"type": ["string", "null"], "description": "Why matching gave up on it."},
        fanned_out={"type": "boolean", "description": "Every mail that it owes is among the deliveries."},
        channels={"type": "array", "items": _object(slug={"type": "string"}, name={"type": "string"})},
        deliveries=_object(**{one.value: {"type": "integer", "minimum": 0} for one in DeliveryState}),
        status_url={"type": "string", "format": "uri"},
    )


def _problem() -> Schema:
    schema = _object(
        type={"type": "string"}, title={"type": "string"}, status={"type": "integer"}, detail={"type": "string"}
    )
    schema["properties"]["errors"] = {
        "type": "array",
        "items": _object(pointer={"type": "string", "description": "RFC 6901"}, detail={"type": "string"}),
    }
    return schema


def _object(**members: Schema) -> Schema:
    return {"type": "object", "required": list(members), "properties": members, "additionalProperties": False}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(what: str, schema: Schema) -> Schema:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _problems(said: dict[str, str]) -> Schema:
    return {
        status: {"description": what, "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}
        for status, what in said.items()
    }


ROUTES = [Route(PATH, openapi)]
