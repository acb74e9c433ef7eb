"""Examples as tests of queries: what holds is silent, what does not is named with its place and the reason."""

from __future__ import annotations

import asyncio
from datetime import UTC
from pathlib import Path

import pytest
import structlog

from alerts.app import App
from alerts.config import Config, load_config
from alerts.core.errors import ConfigError
from alerts.daemon.reload import ConfigFile
from alerts.services.channels import list_channels
from alerts.services.examples import MOST_TOLD, failing_examples, refuse_failing

GOOD = """\
channels:
  - slug: xiaomi
    name: Xiaomi
    query: 'about:Xiaomi OR source:Daily'
    must:
      - Xiaomi opens a plant
      - file: plant.txt
      - {title: Plant, source: EV Daily}
    must_not:
      - Tesla opens a plant
"""


def load(folder: Path, text: str) -> Config:
    (folder / "config.yaml").write_text(text, "utf-8")
    (folder / "plant.txt").write_text("Xiaomi opens a plant\n\nXiaomi has opened it.\n", "utf-8")
    return load_config(folder / "config.yaml", {})


async def told(config: Config) -> list[str]:
    return [str(one) for one in await failing_examples(config.channels, time_zone=UTC)]


async def test_examples_that_hold_are_silent(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert await told(config) == []
    await refuse_failing(config.channels, time_zone=UTC)


async def test_what_does_not_hold_is_named_with_its_place_and_the_reason(tmp_path: Path) -> None:
    must, must_not = await told(
        load(tmp_path, GOOD.replace("about:Xiaomi", "about:Tesla").replace("file: plant.txt", "Tesla"))
    )
    assert must.startswith(
        f'{tmp_path}/config.yaml:6:9: channel "xiaomi", must "Xiaomi opens a plant": the query does not match'
    )
    assert "about:Tesla 0.00 < 0.50" in must
    assert must_not.startswith(
        f'{tmp_path}/config.yaml:10:9: channel "xiaomi", must_not "Tesla opens a plant": the query matches'
    )


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("none.txt", None, "there is no such file"),
        ("empty.txt", "", "the file cannot be tried"),
        (
            "two.json",
            '{"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": [%s]}',
            "it holds 2 articles",
        ),
        ("a.exe", "x", "is none of the files that hold articles"),
    ],
)
async def test_a_file_that_is_no_one_article_fails(tmp_path: Path, file: str, content: str | None, says: str) -> None:
    items = ", ".join(f'{{"id": "{n}", "title": "Xiaomi {n}", "content_text": "x"}}' for n in (1, 2))
    if content is not None:
        (tmp_path / file).write_text(content.replace("%s", items), "utf-8")
    (said,) = await told(load(tmp_path, GOOD.replace("plant.txt", file)))
    assert says in said


async def test_all_are_told_up_to_a_bound(tmp_path: Path) -> None:
    many = "".join(f"      - Tesla {number}\n" for number in range(MOST_TOLD + 3))
    config = load(tmp_path, GOOD.replace("      - Xiaomi opens a plant\n", many))
    with pytest.raises(ConfigError, match=r"… and 3 more") as caught:
        await refuse_failing(config.channels, time_zone=UTC)
    assert len(str(caught.value).splitlines()) == MOST_TOLD + 1


async def test_a_running_daemon_refuses_a_config_whose_examples_fail(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    async with await App.open(config) as app:
        asked = asyncio.Event()
        file = ConfigFile(app, lambda: load_config(tmp_path / "config.yaml", {}), asked=asked, after=lambda: None)
        load(tmp_path, GOOD.replace("about:Xiaomi", "about:Tesla"))
        with structlog.testing.capture_logs() as logs:
            await file.look()
        assert [(one["event"], one["kept"]) for one in logs] == [("config_refused", "the old one")]
        assert 'must "Xiaomi opens a plant": the query does not match it' in logs[0]["reason"]
        assert [one.channel.query for one in await list_channels(app.db)] == ["about:Xiaomi OR source:Daily"]
        load(tmp_path, GOOD.replace("about:Xiaomi OR", "Xiaomi OR"))
        await file.look()
        assert [one.channel.query for one in await list_channels(app.db)] == ["Xiaomi OR source:Daily"]
