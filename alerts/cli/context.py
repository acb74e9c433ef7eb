"""What every command needs: the config, the app, and one way to run it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from alerts.app import App
from alerts.config import Config, load_config

T = TypeVar("T")


def config_of(ctx: typer.Context) -> Config:
    """Read the config that ``--config``, ``$ALERTS_CONFIG`` or this folder names; raise ConfigError."""
    named = ctx.find_root().params.get("config")
    return load_config(Path(named) if named else None, os.environ)


def run_async(ctx: typer.Context, main: Callable[[App], Awaitable[T]]) -> T:
    """Open the app, run ``main(app)`` in an event loop, close the app whatever happens; return what it returned."""

    async def body() -> T:
        async with await App.open(config_of(ctx)) as app:
            return await main(app)

    return asyncio.run(body())


def run_joined(ctx: typer.Context, main: Callable[[App], Awaitable[T]]) -> T:
    """Run ``main(app)`` beside what is in force: the config is read, and not made what the ledger holds."""

    async def body() -> T:
        async with await App.join(config_of(ctx)) as app:
            return await main(app)

    return asyncio.run(body())


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Use uvloop where there is one: twice as fast at sending and polling."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return uvloop.new_event_loop
