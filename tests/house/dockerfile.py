"""The Dockerfile read, and walked without an engine, in a folder that stands for the image's root.

Not a builder: the base image is this Python, one folder serves both stages (a virtual environment holds its own place),
and what would change this machine's accounts is left out, by name.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ACCOUNTS = ("groupadd", "useradd")  # a RUN that begins so is not carried out
OURS = re.compile(r"(?<![\w./-])/(?=(?:src|opt|data)\b)")  # where the image's own places begin in a text


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its word, and what follows on this line and on those that continue it."""

    word: str
    rest: str


def read_steps(text: str) -> list[Step]:
    """Read a Dockerfile's instructions."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Step(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def last(steps: Iterable[Step], word: str) -> str:
    """Return what the last instruction of a kind says."""
    return [step.rest for step in steps if step.word == word][-1]


def command_of(text: str) -> list[str]:
    """Return the list of words that ends a CMD or a HEALTHCHECK."""
    words = json.loads(text[text.index("[") :])
    assert isinstance(words, list)
    return [str(word) for word in words]


def context_of(repository: Path, ignored: str) -> Iterator[Path]:
    """Give what an engine would be handed of a folder, by the rules of its .dockerignore: the last that fits counts."""
    lines = [line for line in ignored.splitlines() if line and not line.startswith("#")]
    rules = [(line.startswith("!"), _pattern(line.removeprefix("!"))) for line in lines]

    def is_kept(path: Path) -> bool:
        kept = True
        for includes, pattern in rules:
            if any(pattern.fullmatch(place.as_posix()) for place in (path, *path.parents)):
                kept = includes
        return kept

    for top in sorted(repository.iterdir()):
        if is_kept(top.relative_to(repository)):  # ours name whole folders: what is inside one left out stays out
            inside = top.rglob("*") if top.is_dir() else [top]
            yield from (path for path in inside if path.is_file() and is_kept(path.relative_to(repository)))


def _pattern(glob: str) -> re.Pattern[str]:
    assert re.fullmatch(r"[\w./*-]+", glob, re.ASCII), f"a pattern that this reader does not know: {glob}"
    parts = {"**/": r"(?:.*/)?", "*": r"[^/]*"}
    return re.compile("".join(parts.get(part) or re.escape(part) for part in re.split(r"(\*\*/|\*)", glob)))


@dataclass
class Image:
    """What a walk leaves behind."""

    root: Path
    context: Path
    environ: dict[str, str]  # for the steps and for what is run afterwards
    workdir: Path = field(init=False)
    left_out: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin at the root."""
        self.workdir = self.root

    def build(self, steps: Iterable[Step]) -> None:
        """Carry the steps out; an unknown one is an error, so that nobody thinks it was."""
        for step in steps:
            match step.word:
                case "FROM":
                    self.workdir = self.root
                case "WORKDIR":
                    self.workdir = self.place(step.rest)
                    self.workdir.mkdir(parents=True, exist_ok=True)
                case "RUN" if step.rest.startswith(ACCOUNTS):
                    self.left_out.append(step)
                case "RUN":
                    self._run(step.rest)
                case "COPY":
                    self._copy(shlex.split(step.rest))
                case "ENV":
                    for name, value in (word.split("=", 1) for word in shlex.split(step.rest)):
                        self.environ[name] = self.text(value).replace("$PATH", self.environ["PATH"])
                case "USER" | "VOLUME" | "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK" | "CMD":
                    pass  # for the run, and looked at by the tests
                case _:
                    raise AssertionError(f"a step that this walk does not know: {step}")

    def place(self, path: str) -> Path:
        """Say where a place of the image is here."""
        return self.root / path.lstrip("/") if path.startswith("/") else self.workdir / path

    def text(self, text: str) -> str:
        """Put the image's own places in a text where they are here."""
        return OURS.sub(lambda _: f"{self.root.as_posix()}/", text)

    def _run(self, command: str) -> None:
        """Run it in a shell that takes this Python and its pip for those of the base image."""
        python, pip = shlex.quote(_base_python()), f"{shlex.quote(sys.executable)} -m pip"
        script = f'python() {{ {python} "$@"; }}\npip() {{ {pip} "$@"; }}\n{self.text(command)}'
        done = subprocess.run(
            ["sh", "-ec", script], cwd=self.workdir, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"

    def _copy(self, words: Sequence[str]) -> None:
        *sources, target = [word for word in words if not word.startswith("--")]
        if words[0].startswith("--from="):
            assert sources == [target], "both stages are one folder here"
            assert self.place(target).exists()
            return
        for source in sources:
            found = self.context / source
            if found.is_dir():
                shutil.copytree(found, self.place(target), dirs_exist_ok=True)
            else:
                assert found.is_file(), f"{source} does not come into the build"
                shutil.copy(found, self.place(target))


def _base_python() -> str:
    """Name the Python that this environment was made of."""
    here = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(here if here.exists() else sys.executable)


def environment() -> dict[str, str]:
    """Return what a step may see of this machine: not its Python, nor any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("ALERTS_", "PYTHON", "VIRTUAL"))}
