"""What `pip install .` gives in an empty place works: templates and all travel in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(REPOSITORY),
    ]
    if find_spec("hatchling") is not None:
        command.append("--no-build-isolation")  # nothing is fetched
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("news_alert-*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_every_template_migration_and_the_starter_config(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = REPOSITORY / "templates"
    for path in templates.rglob("*"):
        if path.is_file():
            assert f"alerts/_templates/{path.relative_to(templates).as_posix()}" in names
    for path in (REPOSITORY / "alerts").rglob("*.py"):
        assert path.relative_to(REPOSITORY).as_posix() in names
    assert {"alerts/_starter/config.yaml", "alerts/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests/")]


@pytest.mark.slow
def test_the_installed_package_runs_in_an_empty_place(wheel: Path, tmp_path: Path) -> None:
    """The wheel alone goes into a folder; what it depends on comes from this environment."""
    site, place = tmp_path / "site", tmp_path / "place"
    place.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    program = f"import sys; sys.path.insert(0, {str(site)!r}); from alerts.__main__ import main; sys.exit(main())"
    article = REPOSITORY / "seeds"

    def alerts(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", "-c", program, *arguments]
        return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100, check=False)

    for arguments in (["config", "init"], ["config", "check"], ["db", "upgrade"], ["db", "check"]):
        done = alerts(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    if not article.is_dir():
        return
    sample = next(path for path in sorted(article.iterdir()) if path.suffix == ".txt")
    done = alerts("mail", "preview", str(sample), "xiaomi")
    assert done.returncode == 0, done.stderr
    assert "unsubscribe" in done.stdout.lower()
