"""Wheels made again of what is installed here, so that pip can be asked to resolve and install without a network."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def pack_installed(names: Iterable[str], folder: Path) -> None:
    """Pack what these names need, and what that needs, into a folder that pip installs from."""
    wanted, packed = list(names), set[str]()
    while wanted:
        name = _canonical(wanted.pop())
        if name in packed:
            continue
        packed.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for other systems, or an extra that nobody asked for; else pip will say so
        _pack(found, folder)
        wanted += [Requirement(line).name for line in found.requires or []]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pack(found: metadata.Distribution, folder: Path) -> None:
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)$", found.read_text("WHEEL") or "", re.MULTILINE)
    tag = "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))
    name = _canonical(found.metadata["Name"]).replace("-", "_")
    with zipfile.ZipFile(folder / f"{name}-{found.version}-{tag}.whl", "w") as wheel:
        packed = []
        for path in found.files or []:
            if ".." in path.parts or path.suffix == ".pyc" or path.name in {"RECORD", "INSTALLER", "REQUESTED"}:
                continue
            wheel.write(str(found.locate_file(path)), path.as_posix())
            packed.append(path.as_posix())
        (about,) = {path.split("/")[0] for path in packed if path.split("/")[0].endswith(".dist-info")}
        wheel.writestr(f"{about}/RECORD", "".join(f"{path},,\n" for path in [*packed, f"{about}/RECORD"]))
