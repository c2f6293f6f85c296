"""Three broadcasts on air at once, what is done to their processes, and what was heard of them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Json
from benchmarks.rtmp_reader import RtmpReader
from inference.engines.speech.testtone.decode import decode_tags
from tests.live.site import Processes, wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

SENTENCES = 14
TONE_SECONDS = 1.0
# Enough for the slowest discovery: a voice that owes a sentence is given up after 20 s.
RECOVERY_SECONDS = 120.0
# The outputs connect while nothing is said yet.
SILENCE_SECONDS = 2.0
FRAME_MS = 1000 / 15  # of the profile `mobile`


@dataclass(slots=True)
class Airing:
    """One broadcast that says its numbered sentences once and ends."""

    studio: Studio
    id: str
    reader: RtmpReader
    texts: tuple[str, ...]
    hurt: list[int] = field(default_factory=list)

    @property
    def row(self) -> Json:
        """The broadcast as the platform tells it."""
        return self.studio.platform.broadcast(self.id)

    def pid(self, kind: str) -> int:
        """The living process of a kind: runner, speech, face, pusher or recorder."""

        def found() -> int:
            runner = self.row.get("runner") or {}
            workers = {worker["kind"]: worker["pid"] for worker in runner.get("workers", ())}
            pid = runner.get("pid") if kind == "runner" else workers.get(kind)
            return int(pid) if pid and pid not in self.hurt and is_alive(pid) else 0

        return int(wait_until(found, f"a living {kind}", seconds=RECOVERY_SECONDS))

    def send(self, kind: str, number: signal.Signals) -> int:
        """Send a signal to one of its processes; the pid."""
        pid = self.pid(kind)
        self.hurt.append(pid)
        os.kill(pid, number)
        return pid

    def said(self) -> list[Json]:
        """What was said, in the order of media time."""
        rows = self.studio.platform.utterances(self.id)
        return [row for row in rows if row["state"] == "said"]

    def wait_for_said(self, count: int) -> None:
        """Until so many sentences have been said."""
        what = f"{count} sentences are said"
        wait_until(lambda: len(self.said()) >= count, what, seconds=RECOVERY_SECONDS)

    def wait_for_end(self) -> None:
        """Until everything is said and the broadcast has ended by itself."""
        wait_until(
            lambda: self.row["state"] in ("ended", "failed"), "the end", seconds=RECOVERY_SECONDS
        )
        assert self.row["state"] == "ended", self.row["reason"]

    def events(self, kind: str) -> list[Json]:
        """The data of all events of a kind."""
        rows = self.studio.site.query(
            "SELECT data FROM streams_broadcastevent WHERE broadcast_id = ? AND kind = ?"
            " ORDER BY sequence",
            self.id.replace("-", ""),
            kind,
        )
        return [json_of(row[0]) for row in rows]

    def heard(self) -> list[int]:
        """The numbers of the sentences heard at the RTMP reader, in order (number mod 64)."""
        sound, _ = self.reader.recorded.sound()
        return [number for _, _, number, _ in decode_tags(sound)]

    def check_transcript(self, *, cuts: int = 0) -> None:
        """Each sentence is said once and in order, `cuts` at most were cut, none is left open."""
        rows = self.studio.platform.utterances(self.id)
        texts = [row["text"] for row in rows if row["state"] == "said"]
        assert texts == list(self.texts)
        assert all(row["state"] in ("said", "interrupted") for row in rows), rows
        assert len(rows) - len(texts) <= cuts
        sequences = [row[0] for row in self._sequences()]
        assert sequences == list(range(1, len(sequences) + 1))

    def check_heard(self, *, cuts: int = 0) -> None:
        """Decoded from the stream: each sentence sounds once, in order; a cut one twice."""
        heard = self.heard()
        steps = [(after - before) % 64 for before, after in zip(heard, heard[1:], strict=False)]
        # What is said again has a number of its own, and so has the next one that was taken back.
        assert 0 <= sum(steps) + 1 - len(self.texts) <= 2 * cuts, heard
        assert min(steps) == 1, heard
        assert 0 <= len(heard) - len(self.texts) <= cuts, heard

    def check_heard_after_relaunch(self) -> None:
        """A new runner counts from 1: both parts are in order, only the cut one sounds twice."""
        heard = self.heard()
        begins = next(at for at in range(1, len(heard)) if heard[at] <= heard[at - 1])
        before, after = heard[:begins], heard[begins:]
        assert before == list(range(before[0], before[0] + len(before))), heard
        assert after == list(range(1, 1 + len(after))), heard
        assert len(heard) in (len(self.texts), len(self.texts) + 1), heard

    def check_no_gap(self, *, still_ms: int = 0) -> None:
        """Its stream never broke off: no hole of a second in its pictures."""
        times = [picture.pts_ms for picture in self.reader.recorded.pictures]
        steps = [after - before for before, after in zip(times, times[1:], strict=False)]
        assert min(steps) > 0
        assert max(steps) < 1000 + still_ms

    def missing_pictures(self) -> int:
        """Pictures that should have arrived between the first and the last one, and did not."""
        times = [picture.pts_ms for picture in self.reader.recorded.pictures]
        return round((times[-1] - times[0]) / FRAME_MS) + 1 - len(times)

    def check_untouched(self, *, runner: int) -> None:
        """As if nothing had happened to anybody: heard, said and pushed without a break.

        A machine so loaded that it stood still is not the broadcast's fault; it says so.
        """
        row = self.row
        assert row["runner"]["pid"] == runner
        assert row["runner"]["lease_epoch"] == 1
        assert [output["reconnects"] for output in row["outputs"]] == [0]
        gaps = self.studio.clock_jumps_ms(self.id)
        self.check_transcript(cuts=len(gaps))
        self.check_heard(cuts=len(gaps))
        self.check_no_gap(still_ms=sum(gaps) + round(row["metrics"]["dropped"] * FRAME_MS))

    def _sequences(self) -> list[Any]:
        sql = "SELECT sequence FROM streams_broadcastevent WHERE broadcast_id = ? ORDER BY sequence"
        return self.studio.site.query(sql, self.id.replace("-", ""))


@contextmanager
def three_airings(
    studio: Studio,
    server: RtmpServer,
    name: str,
    *,
    push_urls: Iterable[str] = (),
    sentences: int = SENTENCES,
) -> Iterator[list[Airing]]:
    """Three broadcasts that have begun to speak, each pushed, recorded and heard by a reader.

    push_urls: for the first ones instead of the server's own.
    """
    urls = [*push_urls, *[server.push_url] * 3][:3]
    with ExitStack() as stack:
        airings = [
            start_airing(stack, studio, server, f"{name}-{at}", push_url=url, sentences=sentences)
            for at, url in enumerate(urls)
        ]
        for airing in airings:
            airing.wait_for_said(1)
        yield airings


def start_airing(
    stack: ExitStack,
    studio: Studio,
    server: RtmpServer,
    key: str,
    *,
    push_url: str = "",
    sentences: int = SENTENCES,
) -> Airing:
    """One broadcast, pushed, recorded and heard by a reader; stopped with the stack."""
    platform = studio.platform
    texts = tuple(f"Sentence number {number}." for number in range(1, sentences + 1))
    pause = {"kind": "pause", "pause_seconds": SILENCE_SECONDS}
    show = platform.make_test_show(
        output=platform.make_output(push_url or server.push_url, key),
        voice=platform.make_voice("testtone", seconds=TONE_SECONDS),
        cues=[pause, *({"text": text} for text in texts)],
        profile="mobile",
        ends="after_rundown",
        record=True,
    )
    reader = stack.enter_context(RtmpReader(server.url(key), wants_cards=False))
    broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])
    stack.callback(platform.stop, broadcast)
    return Airing(studio, broadcast, reader, texts)


def children(studio: Studio, word: str) -> list[int]:
    """The processes of `up` whose command line holds a word."""
    pids = Processes(studio.up.pid).alive
    return [pid for pid in pids if word.encode() in _command_line(pid)]


def is_alive(pid: int) -> bool:
    """Whether the process runs (stopped counts), and is no zombie."""
    return bool(Processes(pid).alive)


def json_of(text: Any) -> Json:
    """A JSON column as SQLite keeps it."""
    value: Json = json.loads(text)
    return value


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
