"""A command that was begun is never begun again, not even by a replacement runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.protocol import Result
from inference.runner import journal as journal_module
from inference.runner.journal import CommandJournal


def test_replacement_knows_results_of_the_runner_before(tmp_path: Path) -> None:
    first = CommandJournal(tmp_path)
    first.begin("one")
    first.finish(Result("one", ok=True, data={"generation": 7}))
    first.begin("two")

    second = CommandJournal(tmp_path)

    assert second.result("one") == Result("one", ok=True, data={"generation": 7})
    lost = second.result("two")
    assert second.has("two")
    assert lost is not None
    assert lost.error is not None
    assert (lost.ok, lost.error["code"]) == (False, "runner_restarted")
    assert not second.has("three")


def test_torn_line_counts_as_not_begun(tmp_path: Path) -> None:
    first = CommandJournal(tmp_path)
    first.begin("one")
    path = tmp_path / "commands.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "tw')

    second = CommandJournal(tmp_path)

    assert second.has("one")
    assert not second.has("tw")


def test_only_the_newest_commands_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEPT_COMMANDS", 3)
    journal = CommandJournal(tmp_path)
    for name in "abcdefghijklmnop":
        journal.begin(name)
        journal.finish(Result(name, ok=True))

    again = CommandJournal(tmp_path)

    assert [name for name in "abcdefghijklmnop" if again.has(name)] == ["n", "o", "p"]
    assert len((tmp_path / "commands.jsonl").read_bytes().splitlines()) == 3
