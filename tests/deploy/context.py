"""What `docker build .` would send: the working tree without what `.dockerignore` names."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

Rule = tuple[re.Pattern[str], bool]
_TOKENS: Final = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_AS_EXPRESSION: Final = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def read_ignore(text: str) -> list[Rule]:
    """(pattern, whether it takes away) of each line; a later one decides over an earlier one."""
    lines = (line.strip() for line in text.splitlines())
    return [_rule(line) for line in lines if line and not line.startswith("#")]


def _rule(line: str) -> Rule:
    pattern = line.removeprefix("!").strip("/")
    parts = (_AS_EXPRESSION.get(part) or re.escape(part) for part in _TOKENS.findall(pattern))
    return re.compile("".join(parts) + "(?:/.*)?"), not line.startswith("!")


def is_ignored(path: str, rules: Iterable[Rule]) -> bool:
    """Whether a path, relative and with slashes, stays behind."""
    ignored = False
    for pattern, takes_away in rules:
        if pattern.fullmatch(path):
            ignored = takes_away
    return ignored


def context_files(root: Path) -> list[str]:
    """Every file and link that is sent, relative to `root`."""
    rules = read_ignore((root / ".dockerignore").read_text())
    return sorted(_files_below(root, root, lambda path: is_ignored(path, rules)))


def _files_below(root: Path, folder: Path, is_left: Callable[[str], bool]) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if is_left(name):
            continue  # Docker looks into it for `!` lines; ours are for files beside, not below
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(root, path, is_left)
        else:
            yield name


def copied(source: str, name: str, target: str) -> str | None:
    """Where file `name` of the context goes in `COPY source target`; None where it does not.

    A folder gives what is in it, a file keeps its name below a target that ends with a slash.
    """
    source = source.removeprefix("./").strip("/")
    if source in ("", "."):
        return f"{target.rstrip('/')}/{name}"
    if name == source:
        return f"{target}{Path(name).name}" if target.endswith("/") else target
    if name.startswith(f"{source}/"):
        return f"{target.rstrip('/')}/{name[len(source) + 1 :]}"
    return None


def pack(root: Path, moves: dict[str, str], *, owner: int) -> bytes:
    """An archive of files of `root` (name → place in the image), all of one owner."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        folders: set[str] = set()
        for name, place in moves.items():
            for folder in [str(parent) for parent in Path(place).parents][-2::-1]:
                if folder not in folders:
                    folders.add(folder)
                    archive.addfile(_folder(folder, owner))
            archive.add(root / name, place, recursive=False, filter=lambda i: _owned(i, owner))
    return output.getvalue()


def _folder(place: str, owner: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(place)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return _owned(info, owner)


def _owned(info: tarfile.TarInfo, owner: int) -> tarfile.TarInfo:
    info.uid = info.gid = owner
    info.uname = info.gname = ""
    return info
