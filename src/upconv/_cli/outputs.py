"""Files that a command is going to write, tried before its work begins."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from upconv._cli import CommandError

__all__ = ["IMAGES", "PICTURES", "try_output"]

# What Pillow writes pixels to, and what matplotlib writes a figure to.
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".pdf", ".svg")


def try_output(option: str, path: Path, suffixes: Iterable[str] = (), keep: Iterable[Path] = ()) -> None:
    """Raise unless `path` can be written, has one of these suffixes and is none of the files to keep."""
    name = f"`{option} {path}`"
    try:
        _try(name, path, tuple(suffixes), keep)
    except (OSError, ValueError) as error:  # ValueError: a name that no system takes
        raise CommandError(f"{name} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _try(name: str, path: Path, suffixes: tuple[str, ...], keep: Iterable[Path]) -> None:
    if path.is_dir():
        raise CommandError(f"{name} is a folder: name a file in it")
    if suffixes and path.suffix.lower() not in suffixes:
        said = f"the suffix {path.suffix}" if path.suffix else "no suffix"
        raise CommandError(f"{name} has {said}: use one of {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise CommandError(f"{name} cannot be written: there is no folder {path.parent}")
    for other in keep:
        if _is_same(path, other):
            raise CommandError(f"{name} would overwrite {other}, which this command reads or writes: name another file")
    _open(path)


def _is_same(path: Path, other: Path) -> bool:
    """Whether both are one file, by whatever names: links, relative paths, another case."""
    if path.exists() and other.exists():
        return path.samefile(other)
    one, two = (os.path.realpath(each).casefold() for each in (path, other))
    return one == two


def _open(path: Path) -> None:
    """Open for writing and change nothing: what is there stays, and what is not there is removed again."""
    existed = path.exists()
    if existed and not stat.S_ISREG(path.stat().st_mode):
        raise OSError("it is no regular file")
    target = Path(os.path.realpath(path))  # of a link that leads nowhere yet, the link is kept
    with target.open("ab"):
        pass
    if not existed:
        target.unlink()
