"""What a poll does about each file of a folder, however what is known of them is cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.folder_plan import FolderPlan, Piece, ReadingList, ToRead, sooner
from alerts.core.looks import LOOKS_APART, UNSEEN, FoundFile, Known, KnownFile, Look, Refused, Scan

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)
JUST_NOW = NOW - LOOKS_APART / 2
THIS, OTHER = Look(size=10, mtime_ns=1, inode=1), Look(size=20, mtime_ns=2, inode=1)
NO_ARTICLE = Refused(path="", reason="is empty")
LOCKED = Refused(path="locked", reason="cannot be read", is_folder=True)


def found(path: str, look: Look = THIS) -> FoundFile:
    return FoundFile(path=path, where=f"/seeds/{path}", look=look)


def scan(*seen: FoundFile | Refused) -> Scan:
    return Scan(
        files={one.path: one for one in seen if isinstance(one, FoundFile)},
        refused={one.path: one for one in seen if isinstance(one, Refused)},
    )


def plan(
    seen: Scan,
    rows: Sequence[KnownFile] = (),
    *,
    piece: int = 1_000,
    is_first: bool = False,
    once: bool = False,
) -> Piece:
    """Plan in pieces of so many rows; return all decisions, in the order of paths."""
    asked, whole = FolderPlan(seen, is_first=is_first, now=NOW, once=once), Piece()
    pieces = [asked.take(rows[start : start + piece]) for start in range(0, len(rows), piece)]
    while (rest := asked.rest(piece)) is not None:
        pieces.append(rest)
    for one in pieces:
        assert len(one.keep) + len(one.gone) + len(one.to_read) <= piece
        whole.keep += one.keep
        whole.gone += one.gone
        whole.to_read += one.to_read
        whole.look_again_at = sooner(whole.look_again_at, one.look_again_at)
    whole.keep.sort()
    whole.gone.sort()
    whole.to_read.sort()
    return whole


def test_nothing_is_said_of_files_that_were_read_and_look_the_same() -> None:
    rows = [
        KnownFile("a.txt", Known(THIS, BEFORE, read_at=BEFORE)),
        KnownFile("bad.txt", Known(THIS, BEFORE, read_at=BEFORE), "is not text"),
        KnownFile("empty.txt", Known(UNSEEN, BEFORE), "is empty"),
    ]
    seen = scan(found("a.txt"), found("bad.txt"), Refused(path="empty.txt", reason="is empty"))
    assert plan(seen, rows) == Piece()


def test_a_new_file_is_noted_and_looked_at_again() -> None:
    expected = KnownFile("a.txt", Known(THIS, NOW))
    assert plan(scan(found("a.txt"))) == Piece(keep=[expected], look_again_at=NOW + LOOKS_APART)


def test_the_first_look_at_a_source_remembers_that_a_file_was_there_and_reading_tells_it() -> None:
    expected = KnownFile("a.txt", Known(THIS, NOW, was_there=True))
    assert plan(scan(found("a.txt")), is_first=True).keep == [expected]
    seen_before = KnownFile("a.txt", Known(THIS, BEFORE, was_there=True))
    assert plan(scan(found("a.txt")), [seen_before]).to_read == [ToRead(found("a.txt"), BEFORE, was_there=True)]


def test_a_run_that_ends_reads_an_old_file_at_first_sight() -> None:
    assert plan(scan(found("a.txt")), once=True) == Piece(to_read=[ToRead(found("a.txt"), NOW)])


def test_a_second_look_that_comes_too_soon_writes_nothing_and_keeps_its_time() -> None:
    assert plan(scan(found("a.txt")), [KnownFile("a.txt", Known(THIS, JUST_NOW))]) == Piece(
        look_again_at=JUST_NOW + LOOKS_APART
    )


def test_a_file_that_changes_before_it_is_read_is_said_to_be_still_written() -> None:
    unread = [KnownFile("a.txt", Known(OTHER, BEFORE))]
    assert plan(scan(found("a.txt")), unread).keep == [KnownFile("a.txt", Known(THIS, NOW), "is still being written")]
    read = [KnownFile("a.txt", Known(OTHER, BEFORE, read_at=BEFORE))]
    assert plan(scan(found("a.txt")), read).keep == [KnownFile("a.txt", Known(THIS, NOW))]
    set_aside = [KnownFile("a.txt", Known(UNSEEN, BEFORE), "is empty")]
    assert plan(scan(found("a.txt")), set_aside).keep == [KnownFile("a.txt", Known(THIS, NOW))]


def test_a_run_that_ends_leaves_a_file_that_keeps_changing_to_a_later_one() -> None:
    young = THIS._replace(mtime_ns=int(NOW.timestamp()) * 1_000_000_000)
    unread = [KnownFile("a.txt", Known(OTHER, JUST_NOW))]
    kept = KnownFile("a.txt", Known(young, NOW), "is still being written")
    assert plan(scan(found("a.txt", young)), unread, once=True) == Piece(keep=[kept])


def test_an_article_whose_date_has_come_is_read_again() -> None:
    waiting = KnownFile("a.txt", Known(THIS, BEFORE, read_at=BEFORE, wait_until_at=NOW))
    assert plan(scan(found("a.txt")), [waiting]).to_read == [ToRead(found("a.txt"), BEFORE, NOW)]


@pytest.mark.parametrize(
    "row",
    [
        None,
        KnownFile("a.txt", Known(UNSEEN, BEFORE), "is too large"),
        KnownFile("a.txt", Known(THIS, BEFORE, read_at=BEFORE), "is empty"),
    ],
)
def test_a_reason_is_noted_where_it_is_not_known(row: KnownFile | None) -> None:
    seen = scan(Refused(path="a.txt", reason="is empty"))
    assert plan(seen, [row] if row else []).keep == [KnownFile("a.txt", Known(UNSEEN, NOW), "is empty")]


def test_what_is_not_there_any_more_is_gone_unless_nobody_could_see_it() -> None:
    rows = [KnownFile(path, Known(THIS, BEFORE, read_at=BEFORE)) for path in ("a.txt", "locked/a.txt", "lockedroom")]
    assert plan(scan(LOCKED), rows).gone == ["a.txt", "lockedroom"]


PATHS = [*(f"{name}.txt" for name in "abcdef"), "locked/a.txt", "locked"]
LOOKS = st.sampled_from((THIS, OTHER, UNSEEN))
TIMES = st.sampled_from((BEFORE, JUST_NOW, NOW))
KNOWN = st.builds(Known, LOOKS, TIMES, st.none() | TIMES, st.none() | TIMES, st.booleans())
ROWS = st.dictionaries(
    st.sampled_from(PATHS), st.tuples(KNOWN, st.sampled_from((None, "is empty"))), max_size=len(PATHS)
)
SEEN = st.dictionaries(st.sampled_from(PATHS), st.sampled_from((THIS, OTHER, NO_ARTICLE, LOCKED)))


@given(known=ROWS, there=SEEN, piece=st.integers(1, 4), is_first=st.booleans(), once=st.booleans())
def test_planning_in_pieces_comes_to_what_planning_at_once_does(
    known: dict[str, tuple[Known, str | None]],
    there: dict[str, Look | Refused],
    piece: int,
    is_first: bool,
    once: bool,
) -> None:
    rows = [KnownFile(path, *row) for path, row in known.items()]
    seen = scan(
        *(
            found(path, one)
            if isinstance(one, Look)
            else Refused(path=path, reason=one.reason, is_folder=one.is_folder)
            for path, one in there.items()
        )
    )
    at_once = plan(seen, rows, is_first=is_first, once=once)
    assert plan(seen, rows, piece=piece, is_first=is_first, once=once) == at_once
    decided = [*(row.path for row in at_once.keep), *at_once.gone, *(one.file.path for one in at_once.to_read)]
    assert len(set(decided)) == len(decided)


def listed(*files: ToRead) -> ReadingList:
    to_read = ReadingList()
    to_read.add(files)
    to_read.sort()
    return to_read


def test_files_are_read_in_the_order_in_which_they_changed() -> None:
    late, early, middle = (
        ToRead(found(path, Look(size=1, mtime_ns=mtime_ns, inode=9)), BEFORE, NOW, was_there=True)
        for path, mtime_ns in (("a", 3), ("b", 1), ("a2", 3))
    )
    assert list(listed(late, early, middle).steps(files=9, size=9)) == [[early, late, middle]]


def test_a_step_holds_no_more_files_and_octets_than_it_may_unless_one_file_is_larger() -> None:
    sizes = [1, 1, 1, 5, 9, 1, 4, 1]
    to_read = listed(
        *(ToRead(found(str(place), Look(size=size, mtime_ns=place, inode=9)), NOW) for place, size in enumerate(sizes))
    )
    steps = [[one.file.look.size for one in step] for step in to_read.steps(files=3, size=5)]
    assert steps == [[1, 1, 1], [5], [9], [1, 4], [1]]
    assert len(to_read) == 8
    assert list(ReadingList().steps(files=3, size=5)) == []


def test_what_was_there_at_the_first_poll_can_be_left_out() -> None:
    was_there, fresh = ToRead(found("a"), NOW, was_there=True), ToRead(found("b"), NOW)
    to_read = listed(was_there, fresh)
    assert list(to_read.without_those_that_were_there().steps(files=9, size=99)) == [[fresh]]
    assert len(to_read) == 2


def test_the_sooner_of_two_times_may_be_the_only_one() -> None:
    assert sooner(None, None) is None
    assert sooner(NOW, None) == sooner(None, NOW) == NOW
    assert sooner(NOW, BEFORE) == BEFORE
