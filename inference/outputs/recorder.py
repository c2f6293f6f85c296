"""The child that writes MP4 files: `python -m inference.outputs.recorder`.

First line of stdin: {"folder", "name", "headers", "ai_label", "file_seconds", "min_free_bytes"}.
A file is a fragmented MP4, flushed at each keyframe: after kill -9 it still plays up to the last
fragment. When it is closed one index takes the place of the fragments (`mp4_index`), beside the
packets of the next file, which begins at the first keyframe after `file_seconds`.
"""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from inference.media.garbage import collect_rarely
from inference.media.packets import EncodedPacket, StreamHeaders
from inference.outputs.base import Json, PacketInput, headers_from_json, report
from inference.outputs.mp4_index import FragmentError, write_index
from inference.outputs.rtmp import flv

_CLOCK = Fraction(1, 48_000)
# Nothing of a fragment is held once it is written. FFmpeg's hybrid form makes the same file in the
# end, and holds 72 bytes of each sample until then: 18 MiB an hour.
_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof+use_metadata_tags+skip_trailer"
# Refuse to fill the disk to the last byte: the database lives there too.
_MIN_FREE_BYTES = 256 * 1024 * 1024


class Mp4File:
    """One recording file, written as packets come."""

    def __init__(
        self, path: Path, headers: StreamHeaders, first: EncodedPacket, ai_label: str
    ) -> None:
        self.path = path
        self.first_pts = self.last_pts = first.pts
        self._container: Any = av.open(
            str(path),
            "w",
            format="mp4",
            options={
                "movflags": _FRAGMENTS,
                # The movie's clock is that of its tracks: no time is rounded to milliseconds.
                "movie_timescale": str(_CLOCK.denominator),
                "flush_packets": "1",
            },
        )
        self._container.metadata["AIGC"] = ai_label
        self._streams = self._add_streams(flv.sample_file(headers, first.data))

    def _add_streams(self, sample: bytes) -> dict[str, Any]:
        with av.open(io.BytesIO(sample), format="flv") as template:
            video, audio = template.streams.video[0], template.streams.audio[0]
            streams = {
                "video": self._container.add_stream_from_template(video),
                "aac": self._container.add_stream_from_template(audio),
            }
        # FLV's own field knows 44.1 kHz at most.
        streams["aac"].codec_context.sample_rate = 48_000
        for stream in streams.values():
            stream.time_base = _CLOCK
        return streams

    def write(self, packet: EncodedPacket) -> None:
        """Append one packet. Raises OSError when the disk does not take it."""
        data = flv.avcc(packet.data) if packet.stream == "video" else packet.data
        coded = av.Packet(data)
        coded.stream = self._streams[packet.stream]
        coded.time_base = _CLOCK
        coded.pts = coded.dts = packet.pts - self.first_pts
        coded.duration = packet.duration
        coded.is_keyframe = packet.is_keyframe or packet.stream == "aac"
        self._container.mux(coded)
        self.last_pts = max(self.last_pts, packet.pts + packet.duration)

    @property
    def length_ms(self) -> int:
        return round((self.last_pts - self.first_pts) / 48)

    def close(self) -> None:
        """Write what is left. Raises OSError."""
        self._container.close()


def main() -> int:
    # A presenter's face and voice are for their user and group alone: 0640, folders 0750.
    os.umask(0o027)
    collect_rarely()
    return asyncio.run(_run())


async def _run() -> int:
    stdin = await PacketInput.open(sys.stdin.buffer)
    job: Json = json.loads(await stdin.first_line())
    recorder = Recorder(job)
    reporter = asyncio.create_task(_report_progress(recorder))
    try:
        recorder.make_folder()
        report(state="live")
        await stdin.pass_on(recorder.write_all)
        recorder.close()
    except OSError as error:
        recorder.abandon()
        report(state="failed", **_failure(error))
        return 1
    finally:
        reporter.cancel()
    report(state="closed")
    return 0


class Recorder:
    """Splits the packets into files at keyframes."""

    def __init__(self, job: Json) -> None:
        self._folder = Path(job["folder"])
        self._name = job["name"]
        self._headers = headers_from_json(job["headers"])
        self._ai_label = job.get("ai_label", "")
        self._file_samples = int(job.get("file_seconds", 3600) * 48_000)
        self._min_free_bytes = int(job.get("min_free_bytes", _MIN_FREE_BYTES))
        self._file: Mp4File | None = None
        self._before: Mp4File | None = None
        self._indexer = ThreadPoolExecutor(1)
        self.progress = {"bytes": 0, "packets": 0, "pts": 0}

    def make_folder(self) -> None:
        """Raises OSError where recordings cannot be written."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def write_all(self, packets: list[EncodedPacket]) -> None:
        """Append packets in order. Raises OSError."""
        for packet in packets:
            self.write(packet)

    def write(self, packet: EncodedPacket) -> None:
        """Append a packet, starting a file at a keyframe where one is due. Raises OSError."""
        starts = packet.stream == "video" and packet.is_keyframe
        if starts:
            check_free_space(self._folder, self._min_free_bytes)
        if starts and self._file and packet.pts - self._file.first_pts >= self._file_samples:
            self._before, self._file = self._file, None
        if self._file is None:
            if not starts:
                return
            self._file = self._open(packet)
        if packet.pts < self._file.first_pts:
            # Sound leaves its encoder some frames after pictures: it belongs to the file before.
            if self._before is not None:
                self._before.write(packet)
            return
        if packet.stream == "aac":
            self._close_before()
        self._file.write(packet)
        self.progress["bytes"] += len(packet.data)
        self.progress["packets"] += 1
        self.progress["pts"] = packet.pts

    def _open(self, first: EncodedPacket) -> Mp4File:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
        path = self._folder / f"{self._name}-{stamp}.mp4"
        opened = Mp4File(path, self._headers, first, self._ai_label)
        report(file="opened", path=str(path), media_time_ms=max(0, first.pts // 48))
        return opened

    def close(self) -> None:
        """Finish the open file, if any."""
        self._close_before()
        self._before, self._file = self._file, None
        self._close_before()
        self._indexer.shutdown()

    def _close_before(self) -> None:
        if self._before is not None:
            self._before.close()
            # The index of an hour takes a third of a second: longer than a pipe of packets lasts.
            self._indexer.submit(_finish, self._before)
            self._before = None

    def abandon(self) -> None:
        """After a write error: what was flushed stays readable, nothing more is written."""
        self._indexer.shutdown()
        for file in filter(None, (self._before, self._file)):
            report(file="closed", path=str(file.path), duration_ms=file.length_ms)


def _finish(file: Mp4File) -> None:
    try:
        write_index(file.path)
    except (FragmentError, OSError) as error:
        # It plays as it is; who reads the log learns why seeking in it is slow.
        sys.stderr.write(f"{file.path.name} stays in fragments: {error}\n")
    report(file="closed", path=str(file.path), duration_ms=file.length_ms)


def check_free_space(folder: Path, min_free_bytes: int) -> None:
    """Raises OSError(ENOSPC) when less than the reserve is free."""
    if shutil.disk_usage(folder).free < min_free_bytes:
        raise OSError(errno.ENOSPC, "No space left on device")


def _failure(error: OSError) -> Json:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        message = "the disk is full; the show goes on, the recording has stopped"
        return {"code": "disk_full", "message": message, "retryable": False}
    message = f"the recording cannot be written: {error.strerror or error}"
    return {"code": "write_failed", "message": message, "retryable": True}


async def _report_progress(recorder: Recorder) -> None:
    while True:
        await asyncio.sleep(1)
        report(progress=recorder.progress)


if __name__ == "__main__":
    sys.exit(main())
