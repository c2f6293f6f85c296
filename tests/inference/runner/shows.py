"""A script on the real mixer, with a voice that is always ready and ticks that a test makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from inference.protocol import (
    AvatarSpec,
    CueSpec,
    Cursor,
    Json,
    RenditionSpec,
    RunnerSpec,
    Say,
    ScriptState,
    VoiceSpec,
)
from inference.runner.lines import Line, Piece
from inference.runner.mixer import TICK_SAMPLES, Interruption, Mixer
from inference.runner.script import Script
from inference.workers.speech_client import Sentence, Speech

SPOKEN_SAMPLES = 10 * TICK_SAMPLES


class Voice:
    """Makes 200 ms of sound for every sentence at once; `broken` texts fail."""

    is_tagged = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.broken: set[str] = set()
        self.is_retryable = False
        self.speeches: dict[str, Speech] = {}

    def get(self, sentence: Sentence, priority: str) -> Speech:
        self.asked.append((sentence.text, priority))
        speech = self.speeches.setdefault(sentence.text, Speech(sentence))
        if sentence.text in self.broken:
            speech.error = "every voice failed"
            speech.is_retryable = self.is_retryable
        else:
            speech.error = ""
        speech.samples = np.full(SPOKEN_SAMPLES, 1000, np.int16)
        speech.done.set()
        return speech


class Stage:
    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.lines: list[Line] = []
        self.cuts: list[Interruption] = []
        self.taken_back: list[str] = []
        self.cues: list[str] = []
        self.told: list[str] = []

    def cue_heard(self, cue: CueSpec, sample: int) -> None:
        self.cues.append(f"+{cue.id}")

    def cue_left(self) -> None:
        self.cues.append("-")

    def line_placed(self, line: Line, start_sample: int) -> None:
        self.lines.append(line)
        self.told.append("line")

    def piece_placed(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.told.append("piece")

    def revoked(self, line: Line, start_sample: int) -> None:
        self.taken_back.append(line.text)

    def cut(self, interruption: Interruption) -> None:
        self.cuts.append(interruption)
        self.told.append("cut")


class Listener:
    """Passes what the mixer tells straight on; there is one thread here."""

    script: Script

    def placed(self, utterance: str, generation: int, start_sample: int) -> None:
        self.script.placed(utterance, start_sample)

    def started(self, utterance: str, generation: int, sample: int) -> None:
        self.script.started(utterance, generation, sample)

    def finished(self, utterance: str, generation: int, played: int, *, completed: bool) -> None:
        self.script.finished(utterance, generation, played, completed=completed)

    def underrun(self, utterance: str, generation: int, at_sample: int, silent: int) -> None: ...


class Show:
    """A script on a mixer whose ticks the test makes."""

    def __init__(self, *texts: str, **changes: Any) -> None:
        cues = changes.pop("cues", None) or tuple(
            CueSpec(f"c{index}", "speech", text) for index, text in enumerate(texts, 1)
        )
        spec = RunnerSpec(
            broadcast="b",
            lease_epoch=1,
            token="",
            title="",
            language="en-US",
            renditions=(RenditionSpec("main", 320, 180, 1920, 500),),
            avatar=changes.pop("avatar", AvatarSpec("a", "puppet")),
            voices=(VoiceSpec("v", "espeak", "en-US"),),
            cues=cues,
            run_folder="",
            recordings_folder="",
            cache_folder="",
            **changes,
        )
        self.events: list[tuple[str, Json]] = []
        self.ended: list[str] = []
        self.voice, self.stage, listener = Voice(), Stage(), Listener()
        self.mixer = Mixer(listener)
        self.script = Script(
            spec,
            self.mixer,
            self.voice,  # type: ignore[arg-type]  # the part of it that the script uses
            self.stage,
            emit=lambda kind, data: self.events.append((kind, data)),
            on_end=self.ended.append,
        )
        listener.script = self.script
        self.sample = 0

    def start(
        self, cursor: Cursor | None = None, state: ScriptState = "running", *says: Say
    ) -> Show:
        self.script.start(cursor or Cursor(), state, says)
        return self

    async def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.mixer.pull(self.sample)
            self.sample += TICK_SAMPLES
            await asyncio.sleep(0)

    async def until(self, check: Callable[[], Any], ticks: int = 1000) -> None:
        for _ in range(ticks):
            if check():
                return
            await self.tick()
        raise AssertionError(f"did not happen in {ticks} ticks: {self.texts('said')}")

    def texts(self, state: str) -> list[str]:
        return [d["text"] for kind, d in self.events if kind == "utterance" and d["state"] == state]

    def cursors(self) -> list[tuple[str | None, int, int]]:
        return [
            (data["cue"], data["sentence"], data["loop"])
            for kind, data in self.events
            if kind == "cursor"
        ]

    async def speak(self, text: str) -> None:
        """Tick until a text sounds."""
        await self.until(lambda: self.texts("speaking")[-1:] == [text])
