"""Hearing that something in a folder moved, whatever becomes of the folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alerts.sources import watch
from alerts.sources.watch import watch_folder, watch_folders

PATIENCE_S = 20.0


class Ear:
    """Counts the pokes."""

    def __init__(self) -> None:
        self.pokes = 0
        self.heard = asyncio.Event()

    async def poke(self) -> None:
        self.pokes += 1
        self.heard.set()

    async def hears(self) -> None:
        """Wait for the next poke."""
        self.heard.clear()
        await asyncio.wait_for(self.heard.wait(), PATIENCE_S)

    async def hears_of(self, path: Path) -> None:
        """Write into a file again and again until a poke comes: when the watch began is nobody's business."""
        self.heard.clear()
        for number in range(int(PATIENCE_S * 5)):
            path.write_text(str(number))
            try:
                await asyncio.wait_for(self.heard.wait(), 0.2)
            except TimeoutError:
                continue
            return
        pytest.fail("no poke came")


@asynccontextmanager
async def watching(folder: Path, ear: Ear) -> AsyncIterator[None]:
    task = asyncio.create_task(watch_folder(folder, ear.poke))
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_S", 0.1)


async def test_a_new_file_pokes_in_a_folder_below_too(tmp_path: Path) -> None:
    ear = Ear()
    (tmp_path / "below").mkdir()
    async with watching(tmp_path, ear):
        await ear.hears_of(tmp_path / "a.txt")
        await ear.hears_of(tmp_path / "below" / "b.txt")


async def test_many_events_at_once_make_few_pokes(tmp_path: Path) -> None:
    ear = Ear()
    async with watching(tmp_path, ear):
        await ear.hears_of(tmp_path / "a.txt")
        before = ear.pokes
        for number in range(200):
            (tmp_path / f"{number}.txt").write_text("x")
        await ear.hears()
        assert ear.pokes - before <= 20


async def test_a_folder_that_is_missing_goes_away_and_comes_back_is_watched_when_it_is_there(tmp_path: Path) -> None:
    ear = Ear()
    folder = tmp_path / "seeds"
    async with watching(folder, ear):
        await asyncio.sleep(0.3)
        assert ear.pokes == 0
        folder.mkdir()
        await ear.hears()
        await ear.hears_of(folder / "a.txt")
        shutil.rmtree(folder)
        await ear.hears()
        await asyncio.sleep(0.5)
        folder.mkdir()
        await ear.hears()
        await ear.hears_of(folder / "a.txt")


async def test_a_poke_that_fails_ends_nothing(tmp_path: Path) -> None:
    ear = Ear()

    async def poke() -> None:
        await ear.poke()
        raise RuntimeError("the database is gone")

    task = asyncio.create_task(watch_folder(tmp_path, poke))
    await ear.hears_of(tmp_path / "a.txt")
    await ear.hears_of(tmp_path / "a.txt")
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_system_without_watches_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise OSError("No space left on device: out of watches")

    monkeypatch.setattr(watch, "awatch", refuse)
    monkeypatch.setattr(watch, "_REST_S", 0.05)
    ear = Ear()
    async with watching(tmp_path, ear):
        await ear.hears()
        await ear.hears()


async def test_the_folders_to_watch_may_change(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    folders: list[Path] = [one]

    def watched() -> Collection[Path]:
        return folders

    ear = Ear()
    task = asyncio.create_task(watch_folders(watched, ear.poke))
    await ear.hears_of(one / "a.txt")
    folders[:] = [other]
    await ear.hears_of(other / "a.txt")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not [left for left in asyncio.all_tasks() if left.get_name().startswith("watch ")]
