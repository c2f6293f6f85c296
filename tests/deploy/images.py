"""Carries out a Dockerfile: each step in its own layer, as the user that it names."""

from __future__ import annotations

import posixpath
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from scripts.provision.debian import size_mib
from scripts.provision.steps import say
from tests.deploy.container import Image, Options, run_step
from tests.deploy.context import context_files, copied, pack
from tests.deploy.dockerfile import (
    DockerfileError,
    Instruction,
    Stage,
    fill_in,
    read_dockerfile,
    read_pairs,
)
from tests.deploy.roots import BaseImages

UNPACK: Final = ("tar", "-xpf", "-", "-C", "/", "--no-overwrite-dir", "--numeric-owner")


@dataclass(slots=True)
class Build:
    """One stage in the making."""

    image: Image
    arguments: dict[str, str]

    @property
    def variables(self) -> dict[str, str]:
        return {**self.arguments, **self.image.environment}


class Builder:
    """Builds stages of the Dockerfile in `root` with stand-ins for what it begins with."""

    def __init__(self, root: Path, folder: Path, arguments: dict[str, str] | None = None) -> None:
        self._root, self._folder = root, folder
        self._arguments = arguments or {}
        self._stages = read_dockerfile((root / "Dockerfile").read_text())
        self._bases = BaseImages(folder / "bases")
        self._built: dict[str, Image] = {}

    def build(self, name: str) -> Image:
        """The image of a stage; each stage is built once. Raises StepError, DockerfileError."""
        if name not in self._built:
            stage = self._stages[name]
            build = Build(self._base_of(stage), {})
            for number, instruction in enumerate(stage.instructions):
                started = time.monotonic()
                before = len(build.image.layers)
                _STEPS[instruction.name](
                    self, build, instruction, self._folder / name / str(number)
                )
                _tell(name, instruction, build.image.layers[before:], time.monotonic() - started)
            self._built[name] = build.image
        return self._built[name]

    def own_layers(self, image: Image) -> tuple[Path, ...]:
        """Those that the Dockerfile made, without those of its base."""
        bases = self._folder / "bases"
        return tuple(layer for layer in image.layers if not layer.is_relative_to(bases))

    def _base_of(self, stage: Stage) -> Image:
        if stage.base in self._stages:
            return self.build(stage.base)
        return self._bases.get(stage.base)

    def run(self, build: Build, instruction: Instruction, folder: Path) -> None:
        """RUN: as its user, with the network that this machine has."""
        lent = self._bases.lent
        options = Options(environment={**build.arguments, **lent.environment}, mounts=lent.mounts)
        build.image = run_step(build.image, folder, options, instruction.command())

    def copy(self, build: Build, instruction: Instruction, folder: Path) -> None:
        """COPY: from the context or another stage."""
        *sources, target = shlex.split(fill_in(instruction.words, build.variables))
        if any(re.search(r"[*?\[]", source) for source in sources):
            raise DockerfileError(f"line {instruction.line}: patterns are not known here")
        if len(sources) > 1 and not target.endswith("/"):
            raise DockerfileError(f"line {instruction.line}: many files need a folder, {target}/")
        place = posixpath.join(build.image.folder, target)
        place = posixpath.normpath(place) + ("/" if target.endswith(("/", ".")) else "")
        owner = self._owner(build.image, instruction)
        if "from" in instruction.flags:
            archive = self._from_stage(instruction, sources[0], place, owner, folder / "read")
        else:
            archive = self._from_context(instruction, sources, place, owner)
        as_root = replace(build.image, user="root", folder="/")
        done = run_step(as_root, folder, Options(), UNPACK, stdin=archive)
        build.image = replace(build.image, layers=done.layers)

    def _owner(self, image: Image, instruction: Instruction) -> int:
        # Without --chown all is root's, whatever USER says.
        return image.owner(instruction.flags.get("chown", "root"))[0]

    def _from_context(
        self, instruction: Instruction, sources: list[str], place: str, owner: int
    ) -> bytes:
        moves: dict[str, str] = {}
        for source in sources:
            found = {
                name: there.lstrip("/")
                for name in context_files(self._root)
                if (there := copied(source, name, place)) is not None
            }
            if not found:
                raise DockerfileError(f"line {instruction.line}: {source} is not in the context")
            moves |= found
        return pack(self._root, moves, owner=owner)

    def _from_stage(
        self, instruction: Instruction, source: str, place: str, owner: int, folder: Path
    ) -> bytes:
        """An archive of a folder of another stage, as it will lie in this one."""
        image = replace(self.build(instruction.flags["from"]), user="root", folder="/")
        out = folder / "out"
        out.mkdir(parents=True)
        options = Options(mounts=((out, "/mnt"),))
        run_step(image, folder, options, ["cp", "-a", f"{source.rstrip('/')}/.", "/mnt"])
        moves = {
            path.relative_to(out).as_posix(): f"{place.strip('/')}/{path.relative_to(out)}"
            for path in sorted(out.rglob("*"))
            if path.is_symlink() or not path.is_dir()
        }
        return pack(out, moves, owner=owner)

    def set_environment(self, build: Build, instruction: Instruction, _: Path) -> None:
        """ENV."""
        more = read_pairs(instruction, build.variables)
        build.image = replace(build.image, environment={**build.image.environment, **more})

    def set_argument(self, build: Build, instruction: Instruction, _: Path) -> None:
        """ARG: its own value unless the builder was given another."""
        for name, value in read_pairs(instruction, build.variables).items():
            build.arguments[name] = self._arguments.get(name, value)

    def enter_folder(self, build: Build, instruction: Instruction, folder: Path) -> None:
        """WORKDIR: made where it is missing, root's."""
        place = posixpath.join(build.image.folder, fill_in(instruction.words, build.variables))
        as_root = replace(build.image, user="root", folder="/")
        made = run_step(as_root, folder, Options(), ["mkdir", "-p", place])
        build.image = replace(build.image, layers=made.layers, folder=place)


def _user(build: Build, text: str) -> Image:
    build.image.owner(text)
    return replace(build.image, user=text)


def _set(change: Callable[[Build, Instruction], Image]) -> Callable[..., None]:
    def step(_: Builder, build: Build, instruction: Instruction, __: Path) -> None:
        build.image = change(build, instruction)

    return step


_STEPS: Final[dict[str, Callable[[Builder, Build, Instruction, Path], None]]] = {
    "ARG": Builder.set_argument,
    "CMD": _set(lambda b, i: replace(b.image, command=tuple(i.command()))),
    "COPY": Builder.copy,
    "ENTRYPOINT": _set(lambda b, i: replace(b.image, entrypoint=tuple(i.command()), command=())),
    "ENV": Builder.set_environment,
    "EXPOSE": _set(lambda b, _: b.image),  # a note to the reader
    "LABEL": _set(lambda b, _: b.image),
    "RUN": Builder.run,
    "USER": _set(lambda b, i: _user(b, i.words)),
    "VOLUME": _set(lambda b, i: replace(b.image, volumes=(*b.image.volumes, *i.words.split()))),
    "WORKDIR": Builder.enter_folder,
}


def _tell(stage: str, instruction: Instruction, layers: tuple[Path, ...], seconds: float) -> None:
    if layers:
        size = sum(size_mib(layer) for layer in layers)
        words = instruction.words[:60]
        say(f"  {stage}: {instruction.name} {words}: {size} MiB, {seconds:.0f} s")


def image_mib(image: Image) -> int:
    """Size of all its layers."""
    return sum(size_mib(layer) for layer in image.layers)


def files_of(image: Image) -> set[str]:
    """Every file and link that a process in the image sees, relative to its root."""
    seen: set[str] = set()
    for layer in image.layers:
        listed = subprocess.run(
            ["find", ".", "-printf", "%y %P\\n"], cwd=layer, capture_output=True, check=True
        )
        for line in listed.stdout.decode(errors="replace").splitlines():
            kind, _, name = line.partition(" ")
            if kind == "c":
                # How overlayfs says that something below is gone, a whole folder too.
                seen = {one for one in seen if one != name and not one.startswith(f"{name}/")}
            elif kind in "fl":
                seen.add(name)
    return seen
