"""What becomes of the files in a folder, on both databases."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alerts.core.model import Disposition, FirstPoll, Source, SourceKind, SourceState
from alerts.services.read_folder import FolderPoll, looking, read_folder, reading, run
from alerts.storage import articles, files, schema, sources
from alerts.storage.engine import Database
from alerts.storage.files import keep_files

SECOND = timedelta(seconds=1)
_OPENED: list[str] = []  # by the audit hook below, which nothing takes away again


def _note_opened(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and str(arguments[0]).endswith(".md"):
        _OPENED.append(Path(str(arguments[0])).name)


sys.addaudithook(_note_opened)


@dataclass
class Desk:
    """Alice's desk: a folder that she writes into, and a clock that the tests turn."""

    db: Database
    folder: Path
    source: Source
    now: datetime
    polls: list[FolderPoll] = field(default_factory=list)

    def write(self, path: str, text: str | bytes, *, age: float = 5) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.touch(path, age=age)
        return file

    def touch(self, path: str, *, age: float = 5) -> None:
        at = self.now.timestamp() - age
        os.utime(self.folder / path, (at, at))

    async def look(self, *, once: bool = False, after: timedelta = SECOND) -> FolderPoll:
        self.now += after
        poll = await read_folder(self.db, self.source, now=self.now, site_time_zone=UTC, once=once)
        self.polls.append(poll)
        return poll

    async def settle(self) -> FolderPoll:
        """Look twice, as the daemon does."""
        await self.look()
        return await self.look()

    async def titles(self) -> dict[str, Disposition]:
        async with self.db.reading() as tx:
            return {one.item.title: one.disposition for one in await articles.latest(tx, limit=1000)}

    async def set_aside(self) -> dict[str, str]:
        async with self.db.reading() as tx:
            return dict(await files.set_aside(tx, self.source.id))

    async def state(self) -> Source:
        async with self.db.reading() as tx:
            found = await sources.source_by_id(tx, self.source.id)
        assert found is not None
        return found


@pytest.fixture
async def desk(db: Database, tmp_path: Path, now: datetime) -> Desk:
    """Give a folder that was polled once when it was empty."""
    desk = await empty_desk(db, tmp_path, now)
    await desk.look()
    return desk


async def empty_desk(db: Database, tmp_path: Path, now: datetime, first_poll: FirstPoll = FirstPoll.SEEN) -> Desk:
    folder = tmp_path / "seeds"
    folder.mkdir()
    declared = Source(
        id=0,
        name="seeds",
        kind=SourceKind.FOLDER,
        location=str(folder),
        every=timedelta(seconds=5),
        first_poll=first_poll,
        max_age=None,
        allow_private=False,
        state=SourceState.OK,
        reason=None,
        next_poll_at=now,
        polled_at=None,
    )
    async with db.transaction() as tx:
        source = await sources.insert_source(tx, source=declared, origin="config", now=now)
    assert source is not None
    return Desk(db=db, folder=folder, source=source, now=now)


async def test_a_file_is_read_after_two_looks_that_agree(desk: Desk) -> None:
    desk.write("byd.txt", "BYD opens a plant\n\nIt is in Szeged.")
    first = await desk.look()
    assert first.read == 0
    assert first.look_again_at == desk.now + timedelta(milliseconds=800)
    assert (await desk.state()).next_poll_at == first.look_again_at
    second = await desk.look(after=timedelta(milliseconds=800))
    assert (second.read, second.new, second.look_again_at) == (1, 1, None)
    assert await desk.titles() == {"BYD opens a plant": Disposition.ALERT}
    assert (await desk.state()).next_poll_at == desk.now + desk.source.every


async def test_a_look_that_comes_too_soon_does_not_count(desk: Desk) -> None:
    desk.write("byd.txt", "BYD opens a plant")
    first = await desk.look()
    assert (await desk.look(after=timedelta(milliseconds=300))).look_again_at == first.look_again_at
    assert (await desk.look(after=timedelta(milliseconds=500))).new == 1


async def test_a_file_that_is_being_written_waits(desk: Desk) -> None:
    for part in range(1, 5):
        desk.write("slow.txt", "BYD opens a plant\n\n" + "more " * part, age=0)
        assert (await desk.look()).read == 0
    assert await desk.set_aside() == {"slow.txt": "is still being written"}
    assert (await desk.look()).new == 1
    assert await desk.set_aside() == {}


async def test_a_run_that_ends_reads_old_files_at_once_and_young_ones_after_a_second_look(desk: Desk) -> None:
    desk.now += SECOND
    desk.write("old.txt", "Old news", age=0)
    desk.write("young.txt", "Young news", age=-0.9)
    poll = await desk.look(once=True)
    assert (poll.new, poll.look_again_at) == (1, desk.now + timedelta(milliseconds=800))
    poll = await desk.look(once=True)
    assert (poll.new, poll.look_again_at) == (1, None)


async def test_a_run_that_ends_does_not_wait_for_a_file_that_keeps_changing(desk: Desk) -> None:
    desk.write("log.txt", "one", age=-1)
    assert (await desk.look(once=True)).look_again_at is not None
    desk.write("log.txt", "one two", age=-1)
    assert (await desk.look(once=True)).look_again_at is None
    assert await desk.set_aside() == {"log.txt": "is still being written"}


@pytest.mark.parametrize(("first_poll", "disposition"), [("seen", Disposition.SEEN), ("alert", Disposition.ALERT)])
async def test_what_is_there_at_the_first_poll_is_seen_or_alerted_as_configured(
    db: Database, tmp_path: Path, now: datetime, first_poll: str, disposition: Disposition
) -> None:
    desk = await empty_desk(db, tmp_path, now, FirstPoll(first_poll))
    desk.write("old.txt", "Was there")
    await desk.look()
    desk.write("new.txt", "Came later")
    await desk.settle()
    assert await desk.titles() == {"Was there": disposition, "Came later": Disposition.ALERT}


async def test_an_unchanged_file_is_never_read_again(desk: Desk) -> None:
    desk.write("byd.txt", "BYD opens a plant")
    await desk.settle()
    assert [(await desk.look()).read for _ in range(3)] == [0, 0, 0]


def _touch(desk: Desk) -> None:
    desk.touch("a.txt", age=0)


def _save_again(desk: Desk) -> None:
    desk.write("a.tmp", (desk.folder / "a.txt").read_bytes())
    (desk.folder / "a.tmp").replace(desk.folder / "a.txt")


def _rename(desk: Desk) -> None:
    (desk.folder / "a.txt").rename(desk.folder / "b.txt")


def _move(desk: Desk) -> None:
    (desk.folder / "2026").mkdir()
    (desk.folder / "a.txt").rename(desk.folder / "2026" / "a.txt")


def _copy(desk: Desk) -> None:
    shutil.copy(desk.folder / "a.txt", desk.folder / "copy.txt")


def _edit(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant\n\nIt stands in Szeged, in the south of Hungary, and makes cars.")


def _save_with_other_line_ends(desk: Desk) -> None:
    desk.write("a.txt", (desk.folder / "a.txt").read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "changes",
    [
        [_touch],
        [_save_again],
        [_rename],
        [_move],
        [_copy],
        [_edit],
        [_save_with_other_line_ends],
        [_copy, _edit],
        [_touch, _save_again, _edit, _rename],
    ],
)
async def test_touching_saving_renaming_and_editing_alert_nobody(
    desk: Desk, changes: list[Callable[[Desk], None]]
) -> None:
    desk.write("a.txt", "BYD opens a plant\n\nIt stands in Szeged, in the south of Hungary.")
    await desk.settle()
    for change in changes:
        change(desk)
        poll = await desk.settle()
        assert poll.read == 1
        assert poll.new == 0
    assert len(await desk.titles()) == 1


async def test_an_edit_after_a_rename_alerts_nobody_and_is_kept(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant\n\nIt stands in Szeged, in the south of Hungary.")
    await desk.settle()
    _rename(desk)
    await desk.settle()
    desk.write("b.txt", "BYD opens its plant\n\nIt stands in Szeged, in the south of Hungary. Cars leave it.")
    poll = await desk.settle()
    assert (poll.new, poll.changed) == (0, 1)
    assert await desk.titles() == {"BYD opens its plant": Disposition.ALERT}


async def test_a_file_replaced_by_a_wholly_different_article_is_new(desk: Desk) -> None:
    desk.write("latest.txt", "BYD opens a plant\n\nIt stands in Szeged, in the south of Hungary.")
    await desk.settle()
    desk.write(
        "latest.txt", "NIO swaps batteries on ships\n\nFerries across the strait take part in a trial since May."
    )
    assert (await desk.settle()).new == 1
    assert len(await desk.titles()) == 2


async def test_what_is_no_article_is_set_aside_with_a_reason_and_the_others_go_on(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("Secret")
    desk.write("empty.txt", b"")
    desk.write("blank.txt", b" \n ")
    desk.write("binary.txt", b"PK\x03\x04\x00\x00")
    desk.write("broken.json", '{"items": [\n  {"id": }\n]}')
    desk.write("unclosed.md", "---\ntitle: Half")
    desk.write("picture.png", b"\x89PNG")
    desk.write("huge.txt", b"x" * (5 * 1024 * 1024 + 1))
    (desk.folder / "out.txt").symlink_to(tmp_path / "outside.txt")
    (desk.folder / "up").symlink_to(tmp_path)
    (desk.folder / "nowhere.txt").symlink_to("missing.txt")
    (desk.folder / "round.txt").symlink_to("round.txt")
    (desk.folder / "folder.txt").mkdir()
    os.mkfifo(desk.folder / "pipe.txt")
    desk.write("good.txt", "Good news")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(desk.folder)  # the path of a socket must be short
        try:
            listener.bind("socket.txt")
        finally:
            os.chdir(here)
        await desk.settle()
    assert await desk.titles() == {"Good news": Disposition.ALERT}
    assert await desk.set_aside() == {
        "binary.txt": "is not text (it holds NUL bytes)",
        "blank.txt": "is empty",
        "broken.json": "is not JSON: line 2, column 10: Expecting value",
        "empty.txt": "is empty",
        "folder.txt": "is a folder, not a file",
        "huge.txt": "is larger than 5 MiB",
        "nowhere.txt": "is a link that leads nowhere",
        "out.txt": "is a link that leads out of the folder",
        "picture.png": ("is none of the files that hold articles (.htm, .html, .json, .markdown, .md, .text, .txt)"),
        "pipe.txt": "is a pipe, not a file",
        "round.txt": "cannot be read: Too many levels of symbolic links",
        "socket.txt": "is a socket, not a file",
        "unclosed.md": "line 1: the front matter that is opened here is never closed",
        "up": "is a link that leads out of the folder",
    }


async def test_a_mended_file_is_read_and_alerted(desk: Desk) -> None:
    desk.write("a.json", '{"title": ')
    await desk.settle()
    desk.write("a.json", '{"title": "Mended"}')
    assert (await desk.settle()).new == 1
    assert await desk.set_aside() == {}


async def test_what_is_gone_is_forgotten_and_its_article_stays(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant")
    desk.write("empty.txt", b"")
    await desk.settle()
    (desk.folder / "a.txt").unlink()
    (desk.folder / "empty.txt").unlink()
    await desk.look()
    assert await desk.set_aside() == {}
    assert len(await desk.titles()) == 1
    desk.write("a.txt", "BYD opens a plant")
    assert (await desk.settle()).new == 0


async def test_a_missing_folder_fails_with_the_reason_and_takes_nothing_away(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant")
    await desk.settle()
    desk.folder.rename(desk.folder.with_name("away"))
    poll = await desk.look()
    assert not poll.worked
    state = await desk.state()
    assert state.state is SourceState.FAILING
    assert state.reason == f"the folder {desk.folder} cannot be read: No such file or directory"
    desk.folder.with_name("away").rename(desk.folder)
    poll = await desk.look()
    assert (poll.worked, poll.read) == (True, 0)
    assert (await desk.state()).state is SourceState.OK


async def test_drafts_and_expired_articles_are_left_out_and_future_ones_wait(desk: Desk) -> None:
    due_at = desk.now + timedelta(minutes=10)
    desk.write("draft.md", "---\ntitle: Draft\ndraft: true\n---\n")
    desk.write("expired.md", "---\ntitle: Expired\nexpiryDate: 2020-01-01\n---\n")
    desk.write("future.md", f"---\ntitle: Future\ndate: {due_at:%Y-%m-%d %H:%M:%S}\n---\n")
    assert (await desk.settle()).new == 0
    assert await desk.set_aside() == {
        "draft.md": "is a draft",
        "expired.md": "expired at 2020-01-01 00:00 UTC",
        "future.md": f"waits for its date, {due_at:%Y-%m-%d %H:%M} UTC",
    }
    assert (await desk.look(after=timedelta(minutes=5))).read == 0
    assert (await desk.look(after=timedelta(minutes=5))).new == 1
    assert await desk.titles() == {"Future": Disposition.ALERT}
    assert sorted(await desk.set_aside()) == ["draft.md", "expired.md"]


async def test_a_future_article_that_was_there_at_the_first_poll_is_alerted_when_its_time_comes(
    db: Database, tmp_path: Path, now: datetime
) -> None:
    desk = await empty_desk(db, tmp_path, now)
    desk.write("future.md", f"---\ntitle: Future\ndate: {now + timedelta(minutes=10):%Y-%m-%d %H:%M}\n---\n")
    await desk.settle()
    await desk.look(after=timedelta(minutes=11))
    assert await desk.titles() == {"Future": Disposition.ALERT}


async def test_a_feed_in_a_file_gives_its_items_and_later_only_the_new_ones(desk: Desk) -> None:
    items = [{"id": str(number), "title": f"Story {number}", "content_text": f"Text {number}"} for number in (1, 2)]
    desk.write("feed.json", json.dumps({"items": items}))
    assert (await desk.settle()).new == 2
    items.insert(0, {"id": "3", "title": "Story 3", "content_text": "Text 3"})
    desk.write("feed.json", json.dumps({"items": items}))
    poll = await desk.settle()
    assert (poll.new, poll.seen) == (1, 2)


async def test_two_feeds_may_number_their_items_alike(desk: Desk) -> None:
    for name in ("a", "b"):
        items = [{"id": "1", "title": f"Story of {name}", "content_text": f"Only {name} tells it"}]
        desk.write(f"{name}.json", json.dumps({"items": items}))
    await desk.settle()
    assert sorted(await desk.titles()) == ["Story of a", "Story of b"]


async def test_a_name_that_is_no_utf8_is_kept_in_a_form_that_every_database_takes(desk: Desk) -> None:
    (desk.folder / os.fsdecode(b"caf\xe9 \\.txt")).write_text("Coffee")
    (desk.folder / "line\nend.txt").write_text("Ends")
    (desk.folder / "leer.txt").write_bytes(b"")
    (desk.folder / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    await desk.settle()
    assert sorted(await desk.titles()) == ["Coffee", "Ends"]
    assert sorted(await desk.set_aside()) == ["caf\\xe9.txt", "leer.txt"]
    async with desk.db.reading() as tx:
        paths = set((await tx.scalars(select(schema.files.c.path))).all())
    assert {"caf\\xe9 \\x5c.txt", "line\\x0aend.txt"} <= paths


async def test_many_files_are_read_once(desk: Desk) -> None:
    for number in range(250):
        desk.write(f"{number % 7}/{number}.txt", f"Story {number}\n\nText {number}")
    assert (await desk.settle()).new == 250
    assert (await desk.look()).read == 0


async def test_an_article_that_two_processes_read_at_once_is_stored_once(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant")
    await desk.look()
    async with desk.db.transaction() as tx:
        claimed = await sources.claim_source(
            tx, desk.source.id, claim="other", now=desk.now, lease=timedelta(minutes=1), only_due=False
        )
    assert claimed is not None
    poll = await desk.look()
    assert (poll.read, poll.look_again_at) == (0, desk.now + timedelta(milliseconds=800))
    assert (await desk.look(after=timedelta(minutes=2))).new == 1


async def test_a_paused_folder_is_not_read(desk: Desk) -> None:
    desk.write("a.txt", "BYD opens a plant")
    async with desk.db.transaction() as tx:
        await sources.rest_source(tx, desk.source.id, state=SourceState.PAUSED)
    poll = await desk.look(once=True)
    assert (poll.read, poll.look_again_at) == (0, None)


async def test_only_changed_files_are_opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PIECE", 64)  # fewer than there are files
    for number in range(300):
        desk.write(f"{number % 7}/{number}.md", f"# Story {number}\n\nText of {number}.", age=9)
    await desk.settle()

    async def opened() -> list[str]:
        _OPENED.clear()
        await desk.settle()
        return sorted(name for name in _OPENED)

    assert await opened() == []  # nothing changed
    desk.touch("1/1.md", age=2)
    assert await opened() == ["1.md"]  # touched
    desk.write("2/2.md", "# Story 2\n\nText of 9.", age=3)
    assert await opened() == ["2.md"]  # as long as before
    (desk.folder / "3" / "3.md").rename(desk.folder / "3" / "renamed.md")
    assert await opened() == ["renamed.md"]
    (desk.folder / "4" / "4.md").unlink()
    assert await opened() == []  # gone
    replacement = desk.write("5/5.md.tmp", "# Story 5\n\nText of 5.", age=9)
    os.utime(replacement, ns=(0, (desk.folder / "5" / "5.md").stat().st_mtime_ns))
    replacement.replace(desk.folder / "5" / "5.md")
    assert await opened() == ["5.md"]  # another file of the same size and time
    assert await opened() == []


_NAMES = [*(f"{place}/{name}" for place in ("2026", "B", "a_b", "ä") for name in ("a.md", "B.md", "a b.md", "ß.md"))]


@pytest.mark.parametrize("piece", [1, 3, len(_NAMES), len(_NAMES) + 1])
async def test_what_is_known_may_be_more_than_a_piece_and_vanish_meanwhile(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(looking, "PIECE", piece)
    for name in _NAMES:
        desk.write(name, f"# Story of {name}", age=9)
    desk.write("empty.md", b"")
    assert (await desk.settle()).new == len(_NAMES)
    shutil.rmtree(desk.folder / "B")
    (desk.folder / "ä" / "a.md").unlink()
    desk.touch("2026/B.md", age=2)
    assert (await desk.settle()).read == 1
    async with desk.db.reading() as tx:
        known = sorted((await tx.scalars(select(schema.files.c.path))).all())
    left = [name for name in _NAMES if not name.startswith("B/") and name != "ä/a.md"]
    assert known == sorted(["empty.md", *left])


async def test_a_kill_between_two_pieces_of_a_look_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PIECE", 4)
    for number in range(10):
        desk.write(f"{number}.md", f"# Story {number}\n\nText of {number}.", age=9)
    written = 0

    async def killed(*arguments: Any) -> None:
        nonlocal written
        if written == 4:
            raise KeyboardInterrupt
        written += len(arguments[-1])
        await keep_files(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(files, "keep_files", killed)
        with pytest.raises(KeyboardInterrupt):
            await desk.look()
    poll = await desk.look(after=timedelta(minutes=1))
    assert (poll.read, poll.look_again_at) == (4, desk.now + timedelta(milliseconds=800))
    assert (await desk.look()).read == 6
    assert len(await desk.titles()) == 10


async def test_a_kill_in_the_middle_of_reading_loses_nothing_and_repeats_nothing(desk: Desk) -> None:
    for number in range(150):
        desk.write(f"{number}.md", f"# Story {number}\n\nText of {number}.", age=9)
    await desk.look()
    told: list[tuple[int, int]] = []

    def kill(done: int, total: int) -> None:
        told.append((done, total))
        raise KeyboardInterrupt

    desk.now += SECOND
    with pytest.raises(KeyboardInterrupt):
        await read_folder(desk.db, desk.source, now=desk.now, site_time_zone=UTC, on_progress=kill)
    assert told == [(100, 150)]
    assert (await desk.look()).read == 0  # the claim still stands
    poll = await desk.look(after=timedelta(minutes=1))
    assert (poll.read, poll.new) == (50, 50)
    assert len(await desk.titles()) == 150


async def test_a_poll_whose_claim_was_lost_leaves_the_rest_to_who_took_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(110):
        desk.write(f"{number}.md", f"# Story {number}\n\nText of {number}.", age=9)
    await desk.look()
    desk.now += SECOND
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def read_after_another_took_it(*arguments: Any) -> reading.ReadFile:
        if told:  # the first step is stored
            asyncio.run_coroutine_threadsafe(_take_from(desk), loop).result(timeout=30)
        return reading.read(*arguments)

    monkeypatch.setattr(run, "read", read_after_another_took_it)
    poll = await read_folder(
        desk.db, desk.source, now=desk.now, site_time_zone=UTC, on_progress=lambda done, _: told.append(done)
    )
    assert (poll.read, told) == (100, [100])
    assert len(await desk.titles()) == 100


async def _take_from(desk: Desk) -> None:
    async with desk.db.transaction() as tx:
        await sources.claim_source(
            tx,
            desk.source.id,
            claim="other",
            now=desk.now + timedelta(minutes=1),
            lease=timedelta(minutes=1),
            only_due=False,
        )
