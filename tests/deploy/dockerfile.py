"""What a Dockerfile says, stage by stage; what this reader does not know it refuses."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

KNOWN: Final = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "RUN", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
# `ADD` fetches and unpacks besides: COPY and RUN say which of it is meant.
REFUSED: Final = {"ADD"}
FLAGS: Final = {"COPY": {"from", "chown"}, "HEALTHCHECK": {"interval", "timeout", "retries"}}
_VARIABLE: Final = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class DockerfileError(Exception):
    """The text says something that these tests cannot carry out; the message names the line."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its words behind the name, and its --flags."""

    line: int
    name: str
    words: str
    flags: dict[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        """Argument list of a RUN, CMD or ENTRYPOINT; without brackets a shell reads it."""
        if self.words.startswith("["):
            return _strings(self, json.loads(self.words))
        return ["/bin/sh", "-c", self.words]


@dataclass(frozen=True, slots=True)
class Stage:
    """name: of this stage; base: another stage, or an image from elsewhere."""

    name: str
    base: str
    instructions: tuple[Instruction, ...]


def read_dockerfile(text: str) -> dict[str, Stage]:
    """Its stages by name, in order. Raises DockerfileError."""
    stages: dict[str, Stage] = {}
    for instruction in read_instructions(text):
        if instruction.name == "FROM":
            stage = _new_stage(instruction, len(stages))
            stages[stage.name] = stage
            continue
        if not stages:
            raise DockerfileError(f"line {instruction.line}: {instruction.name} before FROM")
        last = list(stages.values())[-1]
        stages[last.name] = Stage(last.name, last.base, (*last.instructions, instruction))
    return stages


def read_instructions(text: str) -> Iterator[Instruction]:
    """Each instruction with its continued lines joined. Raises DockerfileError."""
    for number, line in _joined_lines(text):
        name, _, words = line.partition(" ")
        name, words = name.upper(), words.strip()
        if name not in KNOWN or name in REFUSED:
            raise DockerfileError(f"line {number}: {name} is not an instruction known here")
        if "<<" in words:
            raise DockerfileError(f"line {number}: here-documents are not known here")
        yield _with_flags(Instruction(number, name, words))


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    parts: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue  # a comment between continued lines is none of them
        first = first if parts else number
        parts.append(line.rstrip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            yield first, " ".join(parts)
            parts = []
    if parts:
        raise DockerfileError(f"line {first}: continues behind the end of the file")


def _with_flags(instruction: Instruction) -> Instruction:
    words, flags = instruction.words, {}
    while found := re.match(r"--(\w+)=(\S+)\s+", words):
        flags[found[1]] = found[2]
        words = words[found.end() :]
    unknown = set(flags) - FLAGS.get(instruction.name, set())
    if unknown or words.startswith("--"):
        told = ", ".join(sorted(unknown)) or words.split()[0]
        raise DockerfileError(f"line {instruction.line}: flag not known here: {told}")
    return Instruction(instruction.line, instruction.name, words, flags)


def _new_stage(instruction: Instruction, number: int) -> Stage:
    found = re.fullmatch(r"(\S+)(?:\s+[Aa][Ss]\s+(\S+))?", instruction.words)
    if found is None or "$" in found[1]:
        raise DockerfileError(f"line {instruction.line}: FROM {instruction.words}")
    return Stage(found[2] or str(number), found[1], ())


def _strings(instruction: Instruction, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise DockerfileError(f"line {instruction.line}: not a list of strings")
    return value


def read_pairs(instruction: Instruction, variables: Mapping[str, str]) -> dict[str, str]:
    """The `name=value` pairs of ENV or ARG, variables filled in. Raises DockerfileError."""
    pairs = {}
    for word in shlex.split(instruction.words):
        name, equals, value = word.partition("=")
        if not equals and instruction.name != "ARG":
            raise DockerfileError(f"line {instruction.line}: {word} has no value")
        pairs[name] = fill_in(value, variables)
    return pairs


def fill_in(text: str, variables: Mapping[str, str]) -> str:
    """Text with $name and ${name} replaced; an unknown one is empty, as Docker has it."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)
