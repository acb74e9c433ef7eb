"""A small WebSub hub on loopback, and a publisher's pages beside it: real HTTP, as mannered as a test chooses."""

from __future__ import annotations

import hashlib
import hmac
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web

Answer = Callable[["Hub", dict[str, str]], Awaitable[web.Response]]


@dataclass(slots=True)
class Hub:
    """Takes requests at ``/hub`` as ``answer`` says, and verifies them at once unless told otherwise."""

    pages: dict[str, tuple[bytes, list[tuple[str, str]]]] = field(default_factory=dict)
    answer: Answer | None = None
    lease_seconds: str | None = None  # instead of what is asked for
    asked: list[dict[str, str]] = field(default_factory=list)
    verified: list[bool] = field(default_factory=list)
    port: int = 0
    _client: aiohttp.ClientSession | None = None
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{name:hub.*}", self._take)
        app.router.add_get("/{name}", self._page)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._client = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.client.close()
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def client(self) -> aiohttp.ClientSession:
        assert self._client is not None
        return self._client

    def url(self, path: str = "/hub") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def callback(self) -> str:
        return self.asked[-1]["hub.callback"]

    async def ask(self, **parameters: str) -> tuple[int, str]:
        """Ask the callback of the last request something."""
        given = {name.replace("_", ".", 1): value for name, value in parameters.items()}
        async with self.client.get(self.callback, params=given) as response:
            return response.status, await response.text()

    async def verify(self, form: dict[str, str]) -> bool:
        """Ask the subscriber whether it meant a request."""
        question = {"hub.challenge": "c" * 40, "hub.mode": form["hub.mode"], "hub.topic": form["hub.topic"]}
        if "hub.lease_seconds" in form:
            question["hub.lease_seconds"] = self.lease_seconds or form["hub.lease_seconds"]
        async with self.client.get(form["hub.callback"], params=question) as response:
            meant = response.status == 200 and await response.text() == "c" * 40
        self.verified.append(meant)
        return meant

    async def push(self, body: bytes, *, signature: str | None = "sha256", secret: str | None = None) -> int:
        """Distribute content, signed by a method, by whatever is written for a signature, or not at all."""
        headers = {"Content-Type": "application/atom+xml"}
        if signature in {"sha1", "sha256", "sha384", "sha512"}:
            key = secret or next(form["hub.secret"] for form in reversed(self.asked) if "hub.secret" in form)
            digest = hmac.new(key.encode(), body, getattr(hashlib, signature)).hexdigest()
            headers["X-Hub-Signature"] = f"{signature}={digest}"
        elif signature is not None:
            headers["X-Hub-Signature"] = signature
        async with self.client.post(self.callback, data=io.BytesIO(body), headers=headers) as response:
            return response.status

    async def _take(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        if self.answer is not None and request.path == "/hub":
            return await self.answer(self, form)
        return await accept(self, form)

    async def _page(self, request: web.Request) -> web.Response:
        if request.path not in self.pages:
            raise web.HTTPNotFound
        body, headers = self.pages[request.path]
        answer = web.Response(body=body)
        for name, value in headers:
            answer.headers.add(name, value)
        return answer


async def accept(hub: Hub, form: dict[str, str]) -> web.Response:
    """Take a request, and verify it before the answer."""
    hub.asked.append(form)
    await hub.verify(form)
    return web.Response(status=202)


async def reject(_hub: Hub, _form: dict[str, str]) -> web.Response:
    """Refuse a request."""
    return web.Response(status=403, text="members only")
