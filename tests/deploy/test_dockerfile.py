"""The readers of Dockerfile, .dockerignore and compose file: what they take and refuse."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from scripts.provision.paths import ROOT
from tests.deploy.composition import ComposeError, read_compose
from tests.deploy.context import context_files, copied, is_ignored, pack, read_ignore
from tests.deploy.dockerfile import DockerfileError, fill_in, read_dockerfile, read_pairs


def test_stages_have_their_bases_and_instructions() -> None:
    text = "FROM a:1 AS one\nRUN x \\\n # why\n && y\nFROM one AS two\nCOPY --from=one /a /b\n"
    stages = read_dockerfile(text)

    assert [(stage.name, stage.base) for stage in stages.values()] == [
        ("one", "a:1"),
        ("two", "one"),
    ]
    assert stages["one"].instructions[0].command() == ["/bin/sh", "-c", "x && y"]
    assert stages["two"].instructions[0].flags == {"from": "one"}


def test_a_command_in_brackets_needs_no_shell() -> None:
    (command,) = read_dockerfile('FROM a\nCMD ["daphne", "-p", "8000"]')["0"].instructions

    assert command.command() == ["daphne", "-p", "8000"]


def test_variables_are_filled_in() -> None:
    (line,) = read_dockerfile('FROM a\nENV A=1 B="two words" C=${A}${Z}-$A')["0"].instructions

    assert read_pairs(line, {"A": "7"}) == {"A": "1", "B": "two words", "C": "7-7"}
    assert fill_in("x-${A}", {"A": "neural"}) == "x-neural"


@pytest.mark.parametrize(
    "text",
    [
        "FROM a\nADD http://x /y",
        "FROM a\nONBUILD RUN x",
        "FROM a\nSHELL ['x']",
        "FROM a\nCOPY --link a b",
        "FROM a\nCOPY --chmod=644 a b",
        "FROM a\nRUN --mount=type=secret,id=x y",
        "FROM a\nRUN <<EOF\nx\nEOF",
        "FROM ${BASE}",
        "RUN x",
        "FROM a\nRUN x \\",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError):
        read_dockerfile(text)


@pytest.mark.parametrize(
    ("line", "path", "ignored"),
    [
        ("var", "var/secret_key", True),
        ("var", "streams/var", False),
        ("/var/", "var/a", True),
        ("**/__pycache__", "__pycache__/a.pyc", True),
        ("**/__pycache__", "a/b/__pycache__/c", True),
        ("**/.*_cache", "frontend/.x_cache/y", True),
        ("*.md", "README.md", True),
        ("*.md", "docs/a.md", False),
        ("docs\n!docs/keep.md", "docs/keep.md", False),
    ],
)
def test_ignore_lines_are_read_as_docker_reads_them(line: str, path: str, ignored: bool) -> None:
    assert is_ignored(path, read_ignore(line)) is ignored


def test_what_git_ignores_and_what_only_its_makers_need_stays_out_of_every_image() -> None:
    rules = read_ignore((ROOT / ".dockerignore").read_text())
    lines = (ROOT / ".gitignore").read_text().split()
    made = [line.strip("/").replace("*", "x") for line in lines]
    made += [f"inference/{name}" for line, name in zip(lines, made, strict=True) if "/" not in line]

    assert [name for name in made if not is_ignored(name, rules)] == []
    assert not [name for name in context_files(ROOT) if name.startswith(("tests/", "docs/"))]
    assert {"manage.py", "LICENSE", "frontend/package-lock.json"} <= set(context_files(ROOT))


def test_a_folder_gives_what_is_in_it_and_a_file_its_name() -> None:
    assert copied(".", "a/b.py", "/app/") == "/app/a/b.py"
    assert copied("requirements/", "requirements/base.txt", "/app/r/") == "/app/r/base.txt"
    assert copied("frontend/package.json", "frontend/package.json", "/b/") == "/b/package.json"
    assert copied("inference/", "inferences/x", "/app/") is None


def test_an_archive_has_one_owner(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")

    with tarfile.open(fileobj=io.BytesIO(pack(tmp_path, {"a": "app/b/a"}, owner=10001))) as archive:
        found = {info.name: (info.uid, info.gid) for info in archive}

    assert found == dict.fromkeys(("app", "app/b", "app/b/a"), (10001, 10001))


def test_compose_variables_are_demanded_or_have_a_default() -> None:
    text = "services: {a: {image: '${A:?set it}', command: ['${B:-b}']}}"

    assert read_compose(text, {"A": "x"})["services"]["a"]["command"][0] == "b"
    with pytest.raises(ComposeError, match="A: set it"):
        read_compose(text, {})
    with pytest.raises(ComposeError, match="privileged"):
        read_compose("services: {a: {privileged: true}}", {})
