"""What is in a folder, and that nothing in it makes us wait or leads us astray."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alerts.core.errors import ArticleError, FetchError
from alerts.core.looks import FoundFile, Refused
from alerts.sources import folder as folder_module
from alerts.sources.folder import DEEPEST, FileGoneError, look_at, read_file, safe_path, scan


def paths(folder: Path) -> list[str]:
    return sorted(scan(folder).files)


def reasons(folder: Path) -> dict[str, str]:
    return {path: one.reason for path, one in scan(folder).refused.items()}


def found(folder: Path, path: str) -> FoundFile:
    return scan(folder).files[path]


def test_files_are_found_in_all_folders(tmp_path: Path) -> None:
    for path in ("a.txt", "b/c.md", "b/d/e.HTML", "f.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    assert paths(tmp_path) == ["a.txt", "b/c.md", "b/d/e.HTML", "f.json"]
    assert reasons(tmp_path) == {}


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.txt",
        ".git/a.txt",
        "a.txt~",
        ".a.txt.swp",
        "a.txt.part",
        "a.txt.tmp",
        "#a.txt#",
        "~$a.txt",
        "a.txt.crdownload",
        "Thumbs.db",
        "__MACOSX/a.txt",
    ],
)
def test_what_no_writer_wrote_is_ignored_without_a_word(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    assert (paths(tmp_path), reasons(tmp_path)) == ([], {})


def test_a_link_within_the_folder_is_followed_to_a_file_and_never_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.txt").write_text("x")
    (tmp_path / "a.txt").symlink_to("..data/a.txt")  # as Kubernetes mounts files
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "round").symlink_to(tmp_path)
    assert paths(tmp_path) == ["a.txt"]
    assert read_file(found(tmp_path, "a.txt")) == b"x"
    assert reasons(tmp_path) == {"deep/round": "is a link that leads out of the folder"}


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("x")
    (tmp_path / "real" / "b.txt").symlink_to("a.txt")
    (tmp_path / "link").symlink_to("real")
    assert paths(tmp_path / "link") == ["a.txt", "b.txt"]


def test_a_folder_with_a_like_name_is_outside(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds-secret").mkdir()
    (tmp_path / "seeds-secret" / "a.txt").write_text("x")
    (tmp_path / "seeds" / "a.txt").symlink_to("../seeds-secret/a.txt")
    assert reasons(tmp_path / "seeds") == {"a.txt": "is a link that leads out of the folder"}


def test_folders_without_end_end(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * (DEEPEST + 5))
    deepest.mkdir(parents=True)
    (deepest / "a.txt").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    assert paths(tmp_path) == ["b.txt"]
    (refused,) = scan(tmp_path).refused.values()
    assert refused == Refused(
        path="/".join(["d"] * (DEEPEST + 1)), reason=f"is more than {DEEPEST} folders deep", is_folder=True
    )


def test_a_folder_of_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("x")
    with pytest.raises(FetchError, match="holds more than 3 files"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(lambda _: None, "No such file or directory"), (lambda path: path.write_text("x"), "Not a directory")],
)
def test_a_folder_that_is_none_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    make(tmp_path / "seeds")
    with pytest.raises(FetchError, match=f"cannot be read: {reason}"):
        scan(tmp_path / "seeds")


def test_a_folder_in_it_that_cannot_be_read_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.txt").write_text("x")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    assert paths(tmp_path) == ["a.txt"]
    assert scan(tmp_path).refused == {
        "locked": Refused(path="locked", reason="cannot be read: Permission denied", is_folder=True)
    }


def test_a_file_that_vanishes_while_it_is_looked_at_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("x")

    lstat = os.lstat

    def gone(path: str) -> os.stat_result:
        if str(path).endswith("a.txt"):
            raise FileNotFoundError(2, "No such file or directory")
        return lstat(path)

    monkeypatch.setattr(os, "lstat", gone)
    assert reasons(tmp_path) == {"a.txt": "cannot be read: No such file or directory"}


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replace_by_file(path: Path) -> None:
    path.with_name("b.tmp").write_text("y")
    path.with_name("b.tmp").replace(path)


def _append(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", [Path.unlink, _replace_by_pipe, _replace_by_file, _append, _replace_by_folder])
def test_a_file_that_is_another_one_by_now_is_not_read(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "a.txt").write_text("x")
    file = found(tmp_path, "a.txt")
    change(tmp_path / "a.txt")
    with pytest.raises(FileGoneError):
        read_file(file)


def test_a_file_replaced_by_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "secret.txt").write_text("x")
    path = tmp_path / "seeds" / "a.txt"
    path.write_text("x")
    file = found(tmp_path / "seeds", "a.txt")
    path.unlink()
    path.symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ArticleError, match="cannot be read"):
        read_file(file)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("x")
    file = found(tmp_path, "a.txt")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    with pytest.raises(ArticleError, match="cannot be read: Permission denied"):
        read_file(file)


def test_a_file_that_somebody_names_is_looked_at_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").symlink_to("a.txt")
    assert read_file(look_at(tmp_path / "b.txt")) == b"x"
    with pytest.raises(FileNotFoundError):
        look_at(tmp_path / "c.txt")
    with pytest.raises(ArticleError, match="is a folder, not a file"):
        look_at(tmp_path)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ArticleError, match="is a pipe, not a file"):
        look_at(tmp_path / "pipe.txt")
    with pytest.raises(ArticleError):
        look_at(tmp_path / "a\0b")
    with pytest.raises(ArticleError, match="cannot be read"):
        look_at(tmp_path / "a.txt" / "b")
    with pytest.raises(ArticleError, match="is a device, not a file"):
        look_at(Path(os.devnull))


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a b/ä中.txt", "a b/ä中.txt"),
        ("a\nb\x1b.txt", "a\\x0ab\\x1b.txt"),
        ("a\\x0a.txt", "a\\x5cx0a.txt"),
        (os.fsdecode(b"\xff\xe9"), "\\xff\\xe9"),
        ("\u202e\ud83d", "\\xe2\\x80\\xae\\xed\\xa0\\xbd"),
    ],
)
def test_a_path_is_safe_for_any_database_and_terminal(name: str, safe: str) -> None:
    assert safe_path(name) == safe
    safe_path(name).encode()


@pytest.mark.slow
def test_fifty_thousand_files_are_looked_at_in_seconds(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).mkdir()
        for name in range(1_000):
            (tmp_path / str(number) / f"{name}.txt").touch()
    assert len(scan(tmp_path).refused) == 50_000
