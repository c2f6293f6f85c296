"""The index that a closed recording gets, beside the one of FFmpeg for the same packets."""

from __future__ import annotations

import random
import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from inference.media.packets import EncodedPacket
from inference.outputs import recorder
from inference.outputs.mp4_index import FragmentError, write_index
from inference.outputs.recorder import Mp4File

from .media import coded

HYBRID = "hybrid_fragmented+frag_keyframe+use_metadata_tags"
SECOND = 48_000


def shown() -> list[EncodedPacket]:
    """From the first picture on: what is before it is in no recording."""
    return [packet for packet in coded()[1] if packet.pts >= 0]


def late_sound() -> list[EncodedPacket]:
    return [packet for packet in shown() if packet.stream == "video" or packet.pts > SECOND // 2]


def rebased() -> list[EncodedPacket]:
    """The machine slept for half an hour: a keyframe follows."""
    return [
        replace(packet, pts=packet.pts + 1800 * SECOND) if packet.pts >= 2 * SECOND else packet
        for packet in shown()
    ]


def rebased_amid() -> list[EncodedPacket]:
    """A gap between keyframes, of another length for each stream."""
    moved = {"video": 7777, "aac": 8001}
    return [
        replace(packet, pts=packet.pts + moved[packet.stream])
        if packet.pts >= 1.5 * SECOND
        else packet
        for packet in shown()
    ]


def skipped() -> list[EncodedPacket]:
    """Pictures were skipped: those before them last longer."""
    return [
        packet
        for packet in shown()
        if packet.stream == "aac" or packet.is_keyframe or packet.pts // 1920 % 7
    ]


def write(path: Path, packets: list[EncodedPacket]) -> Path:
    file = Mp4File(path, coded()[0], packets[0], '{"Label": "1"}')
    for packet in packets:
        file.write(packet)
    file.close()
    return path


def read(path: Path) -> dict[str, list[Any]]:
    """Of each stream, its packets in full."""
    with av.open(str(path)) as container:
        found: dict[str, list[Any]] = {stream.type: [] for stream in container.streams}
        for packet in container.demux():
            if packet.size:
                times = packet.pts * packet.time_base, packet.dts * packet.time_base
                row = *times, packet.duration, packet.is_keyframe, bytes(packet)
                found[packet.stream.type].append(row)
    return found


def counts(path: Path) -> tuple[int, list[tuple[int, int]]]:
    """The length in µs; of each stream, how many samples there are and where it begins."""
    with av.open(str(path)) as container:
        streams = container.streams
        return container.duration or 0, [(stream.frames, stream.start_time) for stream in streams]


@pytest.mark.parametrize("packets", [shown, late_sound, rebased, rebased_amid, skipped])
def test_index_says_what_that_of_ffmpeg_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packets: Any
) -> None:
    ours = write(tmp_path / "ours.mp4", packets())
    fragments = read(ours)

    write_index(ours)

    monkeypatch.setattr(recorder, "_FRAGMENTS", HYBRID)
    theirs = write(tmp_path / "theirs.mp4", packets())
    assert read(ours) == read(theirs) == fragments
    assert counts(ours) == counts(theirs)


def test_file_with_an_index_has_no_fragments_and_keeps_its_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    before = path.stat().st_size
    write_index(path)

    assert kinds(path) == [b"ftyp", b"mdat", b"moov"]
    # 4 bytes a sample, and some hundred for the tracks: nothing was copied.
    assert path.stat().st_size - before < 4 * len(shown()) + 2000
    with av.open(str(path)) as container:
        assert container.metadata["AIGC"] == '{"Label": "1"}'


def test_player_can_jump_to_any_second(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    write_index(path)

    for second in range(4):
        with av.open(str(path)) as container:
            container.seek(second * 1_000_000)
            assert next(container.decode(video=0)).time == second


def test_piece_of_a_fragment_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)
    write_index(path)

    assert kinds(path) == [b"ftyp", b"mdat", b"moov"]
    assert counts(path)[1] == [(75, 0), (141, 0)]
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 75


def test_disk_that_takes_no_index_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_index(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert path.read_bytes() == before


def test_index_is_written_once(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    write_index(path)
    whole = path.read_bytes()

    with pytest.raises(FragmentError, match="no fragments"):
        write_index(path)
    assert path.read_bytes() == whole


def test_damaged_file_is_refused_as_it_is_or_still_opens(tmp_path: Path) -> None:
    """Any byte of any header may be wrong; the error is always ours, and quick."""
    whole = write(tmp_path / "show.mp4", shown()).read_bytes()
    chance = random.Random(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(2000)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
        path = tmp_path / "damaged.mp4"
        path.write_bytes(damaged)
        try:
            write_index(path)
        except FragmentError:
            refused += 1
            assert path.read_bytes() == damaged
    assert 0 < refused < 300


def test_run_that_names_more_samples_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "show.mp4", shown())
    content = bytearray(path.read_bytes())
    count = content.index(b"trun") + 8
    content[count : count + 4] = (1000).to_bytes(4)
    path.write_bytes(content)

    with pytest.raises(FragmentError, match="ends before its last"):
        write_index(path)
    assert path.read_bytes() == content


def test_recorder_holds_nothing_of_what_it_has_written(tmp_path: Path) -> None:
    """20 minutes; an index held until the end would be 6 MiB."""
    packets = shown()
    file = Mp4File(tmp_path / "show.mp4", coded()[0], packets[0], "")
    sizes = []
    for turn in range(300):
        for packet in packets:
            file.write(replace(packet, pts=packet.pts + turn * 4 * SECOND))
        sizes.append(resident_kib())
    file.close()
    assert sizes[-1] - sizes[30] < 1024


def resident_kib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024


def kinds(path: Path) -> list[bytes]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at + 8 : at + 16]) if size == 1 else size
    return found
