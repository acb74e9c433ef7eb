"""A config that changed is taken over, refused, or waits for the database; the config is real, what takes it is not."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from alerts.app import App
from alerts.config import Config, load_config
from alerts.core.errors import ConfigError, DatabaseUnavailableError
from alerts.daemon.reload import ConfigFile


@dataclass
class Taker:
    """Stands for an app: takes a config over, or raises what it is told to."""

    config: Config
    raises: list[Exception] = field(default_factory=list)

    async def apply(self, config: Config) -> None:
        if self.raises:
            raise self.raises.pop(0)
        self.config = config


@pytest.fixture
def taker(tmp_path: Path) -> Taker:
    path = tmp_path / "config.yaml"
    path.write_text("site:\n  name: EV Daily\n", "utf-8")
    return Taker(load_config(path, {}))


def file_of(taker: Taker) -> ConfigFile:
    path = taker.config.path
    return ConfigFile(cast("App", taker), lambda: load_config(path, {}), asked=asyncio.Event(), after=lambda: None)


def write(taker: Taker, text: str) -> None:
    taker.config.path.write_text(text, "utf-8")
    os.utime(taker.config.path, ns=(1, len(text)))


async def test_a_config_that_could_not_be_written_is_taken_over_once_the_database_is_back(taker: Taker) -> None:
    file = file_of(taker)
    write(taker, "site:\n  name: New Daily\n")
    taker.raises = [DatabaseUnavailableError("locked"), DatabaseUnavailableError("locked")]
    for _ in range(2):
        await file.look()
        assert taker.config.site.name == "EV Daily"
    await file.look()
    assert taker.config.site.name == "New Daily"


async def test_a_config_that_is_refused_is_not_tried_again_until_it_changes(taker: Taker) -> None:
    file = file_of(taker)
    write(taker, "site:\n  name: New Daily\n")
    taker.raises = [ConfigError("no")]
    await file.look()
    await file.look()
    assert taker.config.site.name == "EV Daily"
    write(taker, "site:\n  name: Newest Daily\n")
    await file.look()
    assert taker.config.site.name == "Newest Daily"
