"""Writes a config to start from: the one that comes with News Alert."""

from __future__ import annotations

from pathlib import Path

from alerts.core.errors import ConfigError

PACKAGE = Path(__file__).parents[1]
STARTERS = (PACKAGE / "_starter" / "config.yaml", PACKAGE.parent / "config.yaml")  # in a wheel, in the repository


def write_starter(path: Path) -> None:
    """Write the starter to ``path`` and make the folder of articles that it names; never overwrite a file."""
    starter = next(place for place in STARTERS if place.is_file())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(starter.read_text(encoding="utf-8"))
        (path.parent / "seeds").mkdir(exist_ok=True)
    except FileExistsError:
        raise ConfigError(f"{path} is there already; it was left as it is") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from error
