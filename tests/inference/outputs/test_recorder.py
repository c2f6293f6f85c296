"""The recorder child: exact times, files that survive kill -9, a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from inference.media.packets import EncodedPacket, pack_packet
from inference.outputs.base import Json, headers_to_json

from .media import coded


@contextmanager
def recorder(folder: Path, **extra: object) -> Iterator[subprocess.Popen[bytes]]:
    job = {"folder": str(folder), "name": "show", "headers": headers_to_json(coded()[0]), **extra}
    command = [sys.executable, "-m", "inference.outputs.recorder"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"min_free_bytes": 0, **job}).encode() + b"\n")
        yield process


def feed(process: subprocess.Popen[bytes], packets: tuple[EncodedPacket, ...]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"".join(pack_packet(packet) for packet in packets))
    process.stdin.flush()


def lines(process: subprocess.Popen[bytes]) -> list[Json]:
    return [json.loads(line) for line in process.communicate()[0].splitlines()]


def times(path: Path, kind: str) -> list[float]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [float(f.pts * f.time_base) for f in container.decode(stream) if f.pts is not None]


def test_recording_keeps_exact_picture_and_sound_times(tmp_path: Path) -> None:
    with recorder(tmp_path, ai_label='{"Label": "1"}') as process:
        feed(process, coded()[1])
        reports = lines(process)

    (path,) = tmp_path.glob("*.mp4")
    assert times(path, "video") == [index / 25 for index in range(100)]
    sound = times(path, "audio")
    gaps = {round((b - a) * 48_000) for a, b in zip(sound, sound[1:], strict=False)}
    assert gaps == {1024}
    assert reports[-1] == {"state": "closed"}
    with av.open(str(path)) as container:
        assert container.metadata["AIGC"] == '{"Label": "1"}'


def test_recording_is_for_its_user_and_group_alone(tmp_path: Path) -> None:
    folder = tmp_path / "broadcast"
    with recorder(folder) as process:
        feed(process, coded()[1])
        lines(process)

    (path,) = folder.glob("*.mp4")
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o640, 0o750)


def test_killed_recorder_leaves_a_file_that_plays(tmp_path: Path) -> None:
    with recorder(tmp_path) as process:
        feed(process, coded()[1])
        assert process.stdout is not None
        while b"progress" not in process.stdout.readline():
            pass
        process.kill()

    (path,) = tmp_path.glob("*.mp4")
    # One group of pictures (1 s here) and what was on its way may be lost, no more.
    assert len(times(path, "video")) >= 50


def test_new_file_begins_at_a_keyframe_when_the_old_is_long_enough(tmp_path: Path) -> None:
    with recorder(tmp_path, file_seconds=2) as process:
        feed(process, coded()[1])
        reports = lines(process)

    paths = sorted(tmp_path.glob("*.mp4"))
    assert [len(times(path, "video")) for path in paths] == [50, 50]
    opened = [report["media_time_ms"] for report in reports if report.get("file") == "opened"]
    assert opened == [0, 2000]
    closed = [report["duration_ms"] for report in reports if report.get("file") == "closed"]
    assert all(1950 <= length <= 2100 for length in closed)


def test_split_keeps_every_block_of_sound_that_its_encoder_gives_late(tmp_path: Path) -> None:
    headers, packets = coded()
    late = sorted(packets, key=lambda packet: packet.pts + 4800 * (packet.stream == "aac"))
    with recorder(tmp_path, file_seconds=2) as process:
        feed(process, tuple(late))
        lines(process)

    before, after = sorted(tmp_path.glob("*.mp4"))
    block = 1024 / 48_000
    sounds = [times(path, "audio") for path in (before, after)]
    assert abs(sounds[0][-1] + block - 2) <= block  # up to the split
    assert 0 <= sounds[1][0] <= block  # and from it on
    assert sum(map(len, sounds)) == sum(
        packet.pts >= 0 for packet in packets if packet.stream == "aac"
    )


def test_full_disk_stops_the_recording_with_a_clear_reason(tmp_path: Path) -> None:
    with recorder(tmp_path, min_free_bytes=1 << 60) as process:
        feed(process, coded()[1][:50])
        reports = lines(process)

    assert reports[-1]["state"] == "failed"
    assert reports[-1]["code"] == "disk_full"
    assert "disk is full" in reports[-1]["message"]


def test_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with recorder(tmp_path / "file" / "inside") as process:
        reports = lines(process)

    assert reports[-1]["state"] == "failed"
    assert "cannot be written" in reports[-1]["message"]
