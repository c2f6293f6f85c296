"""The outbox keeps every event until it is acknowledged, whatever kills the runner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inference.protocol import ProtocolError
from inference.runner import outbox as outbox_module
from inference.runner.outbox import Outbox, OutboxBusyError

CURSOR = {"cue": "a", "sentence": 1, "loop": 0}
WORKER = {"kind": "face", "pid": 1, "state": "started", "reason": ""}


def sequences(outbox: Outbox) -> list[int]:
    return [event.sequence for event in outbox.waiting()]


def test_append_numbers_events_from_one(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    numbers = [outbox.append("cursor", CURSOR) for _ in range(3)]

    assert numbers == [1, 2, 3]
    assert [event.data for event in outbox.waiting()] == [CURSOR] * 3
    outbox.close()


def test_append_refuses_unknown_kind_and_missing_field(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    with pytest.raises(ProtocolError, match="unknown event kind"):
        outbox.append("nonsense", {})
    with pytest.raises(ProtocolError, match="lacks loop"):
        outbox.append("cursor", {"cue": "a", "sentence": 1})

    assert outbox.last_sequence == 0
    outbox.close()


def test_acknowledged_events_do_not_wait_any_more(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for _ in range(5):
        outbox.append("cursor", CURSOR)

    outbox.acknowledge(3)
    outbox.acknowledge(1)

    assert sequences(outbox) == [4, 5]
    assert not outbox.is_empty
    outbox.acknowledge(5)
    assert outbox.is_empty
    outbox.close()


def test_replacement_replays_and_continues_the_sequence(tmp_path: Path) -> None:
    first = Outbox(tmp_path)
    for _ in range(4):
        first.append("cursor", CURSOR)
    first.close()

    second = Outbox(tmp_path)
    second.start_after(2)

    assert sequences(second) == [3, 4]
    assert second.append("cursor", CURSOR) == 5
    second.close()


def test_replacement_on_another_host_numbers_behind_what_the_web_has(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    outbox.start_after(41)

    assert outbox.append("cursor", CURSOR) == 42
    assert sequences(outbox) == [42]
    outbox.close()


def test_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    first = Outbox(tmp_path)
    first.append("cursor", CURSOR)
    first.append("cursor", CURSOR)
    first.close()
    path = tmp_path / "outbox.jsonl"
    path.write_bytes(path.read_bytes()[:-7])

    second = Outbox(tmp_path)

    assert sequences(second) == [1]
    assert second.append("cursor", CURSOR) == 2
    assert sequences(second) == [1, 2]
    second.close()


def test_second_runner_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)

    with pytest.raises(OutboxBusyError):
        Outbox(tmp_path)

    outbox.close()
    Outbox(tmp_path).close()


def test_cap_drops_only_what_may_be_dropped(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, cap_bytes=500)
    while outbox.append("worker", WORKER) is not None:
        pass
    at_cap = outbox.last_sequence

    assert outbox.append("cursor", CURSOR) == at_cap + 1
    assert outbox.append("worker", WORKER) is None
    assert outbox.append("cursor", CURSOR) == at_cap + 2
    assert outbox.dropped == 2
    assert sequences(outbox) == list(range(1, at_cap + 3))
    outbox.close()


def test_compaction_keeps_what_waits_and_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "COMPACT_BYTES", 1000)
    outbox = Outbox(tmp_path)
    for _ in range(40):
        outbox.append("cursor", CURSOR)
    before = (tmp_path / "outbox.jsonl").stat().st_size

    outbox.acknowledge(38)

    assert (tmp_path / "outbox.jsonl").stat().st_size < before / 5
    assert sequences(outbox) == [39, 40]
    assert outbox.append("cursor", CURSOR) == 41
    outbox.acknowledge(41)
    outbox.close()
    again = Outbox(tmp_path)
    again.start_after(41)
    assert again.append("cursor", CURSOR) == 42
    again.close()


def test_event_that_cannot_be_written_takes_no_number(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.append("cursor", CURSOR)

    with pytest.raises(UnicodeEncodeError):
        outbox.append("cursor", {**CURSOR, "cue": "\ud800"})  # half a character

    assert outbox.append("cursor", CURSOR) == 2
    assert sequences(outbox) == [1, 2]
    outbox.close()


def test_nothing_waits_for_the_disk_while_on_air(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "COMPACT_BYTES", 100)
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    outbox = Outbox(tmp_path)
    for _ in range(9):
        outbox.append("cursor", CURSOR)

    outbox.acknowledge(9)

    assert synced == []
    outbox.close()


def test_everything_acknowledged_and_compacted_keeps_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "COMPACT_BYTES", 100)
    outbox = Outbox(tmp_path)
    for _ in range(9):
        outbox.append("cursor", CURSOR)
    outbox.acknowledge(9)
    outbox.close()

    again = Outbox(tmp_path)

    assert (again.acknowledged, again.last_sequence) == (9, 9)
    assert again.append("cursor", CURSOR) == 10
    again.close()


def test_batches_cover_every_event_in_order(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for number in range(450):
        outbox.append("cursor", {**CURSOR, "sentence": number})

    seen: list[int] = []
    while not outbox.is_empty:
        batch = sequences(outbox)
        seen += batch
        outbox.acknowledge(batch[-1])

    assert seen == list(range(1, 451))
    outbox.close()


def test_event_larger_than_a_batch_is_still_delivered(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    long_text = "长" * 200_000
    said = {"id": "u", "source": "script", "text": long_text, "generation": 1, "state": "said"}
    outbox.append("utterance", said)
    outbox.append("cursor", CURSOR)

    assert [event.data["text"] for event in outbox.waiting()] == [long_text]
    outbox.acknowledge(1)
    assert sequences(outbox) == [2]
    outbox.close()


def test_full_disk_keeps_events_in_memory_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path)
    outbox.append("cursor", CURSOR)
    write = os.write

    def half(fd: int, line: bytes) -> int:
        return write(fd, line[:10])

    monkeypatch.setattr(outbox_module.os, "write", half)
    assert outbox.append("cursor", CURSOR) == 2
    assert sequences(outbox) == [1, 2]
    monkeypatch.setattr(outbox_module.os, "write", write)
    assert outbox.append("cursor", CURSOR) == 3

    outbox.close()
    again = Outbox(tmp_path)
    assert sequences(again) == [1, 2, 3]
    again.close()


_WRITER = """
import sys
from pathlib import Path
from inference.runner.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
while True:
    number = outbox.append("cursor", {"cue": "a", "sentence": outbox.last_sequence, "loop": 0})
    print(number, flush=True)
"""


def test_killed_writer_loses_no_event_it_reported(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    reported = [int(child.stdout.readline()) for _ in range(300)]
    child.send_signal(signal.SIGKILL)
    reported += [int(line) for line in child.stdout.read().splitlines() if line]
    child.wait()
    child.stdout.close()

    outbox = Outbox(tmp_path)
    seen = []
    while not outbox.is_empty:
        batch = sequences(outbox)
        seen += batch
        outbox.acknowledge(batch[-1])

    # The last number may have been cut while it was printed; the event was written before it.
    assert seen[: len(reported) - 1] == reported[:-1]
    assert seen == list(range(1, len(seen) + 1))
    outbox.close()
