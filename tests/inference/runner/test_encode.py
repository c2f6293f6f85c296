"""Stages: what is skipped, what waits, what is told."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from inference.media.encoder import AacEncoder, OpusEncoder, VideoEncoder
from inference.media.overlay import OverlayStack
from inference.media.packets import EncodedPacket
from inference.protocol import RenditionSpec
from inference.runner import encode
from inference.runner.compose import Composer
from inference.runner.encode import EncodingThread, PictureDue, PictureStage, SoundStage
from inference.runner.mixer import Mixer, QuietListener

SPEC = RenditionSpec("main", 320, 180, 1920, 500)


class Part:
    """Stands for one part of the thread, and works only while open."""

    def __init__(self, name: str, opened: threading.Event) -> None:
        self.name = name
        self._opened = opened
        self.entered = threading.Event()
        self.done: list[int] = []
        self.finished = False
        self.breaks_at = -1

    def work(self, item: Any) -> None:
        self.entered.set()
        self._opened.wait()
        items = [block.pts for block in item] if isinstance(item, list) else [item.frame]
        if self.breaks_at in items:
            raise ValueError("a wrong item")
        self.done += items

    def finish(self) -> None:
        self.finished = True


class Gate:
    """The thread with two such parts; `put` gives it a block for a tick, and perhaps a picture."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.sound, self.pictures = Part("sound", self.open), Part("video", self.open)
        self.failures: list[tuple[str, str]] = []
        self.woken: list[tuple[int, int]] = []
        sound: Any = self.sound
        pictures: Any = self.pictures
        self.thread = EncodingThread(
            sound,
            pictures,
            lambda: self.woken.append((len(self.sound.done), len(self.pictures.done))),
            lambda name, error: self.failures.append((name, str(error))),
        )
        self._mixer = Mixer(QuietListener())
        self._ticks = 0

    def put(self, picture: int | None = None) -> None:
        block = replace(self._mixer.pull(self._ticks * 960), pts=self._ticks)
        self._ticks += 1
        self.thread.put([block], None if picture is None else PictureDue(picture, 0))


@pytest.fixture
def gate() -> Gate:
    gate = Gate()
    gate.thread.start()
    return gate


def test_readers_are_woken_after_the_sound_and_after_the_picture(gate: Gate) -> None:
    gate.put()
    gate.sound.entered.wait()
    for _ in range(3):
        gate.put()
    gate.put(picture=0)
    gate.open.set()
    gate.thread.settle()

    assert (gate.sound.done, gate.pictures.done) == ([0, 1, 2, 3, 4], [0])
    assert gate.woken[:4] == [(1, 0), (1, 0), (5, 0), (5, 1)]


def test_late_pictures_are_skipped_but_the_newest_two(gate: Gate) -> None:
    gate.put(picture=0)
    gate.sound.entered.wait()
    for frame in (1, 2, 3, 4):
        gate.put(picture=frame)
    gate.open.set()

    assert gate.thread.stop(60)
    assert gate.pictures.done == [0, 3, 4]
    assert gate.thread.pictures_dropped == 2
    assert gate.sound.done == [0, 1, 2, 3, 4]


def test_full_queue_makes_the_tick_wait_and_loses_no_sound(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "SOUND_WAIT_SECONDS", 600.0)
    producer = threading.Thread(target=lambda: [gate.put() for _ in range(80)])
    producer.start()
    gate.sound.entered.wait()
    gate.open.set()
    producer.join()

    assert gate.thread.stop(60)
    assert gate.sound.done == list(range(80))
    assert gate.thread.sound_dropped == 0


def test_sound_that_waits_too_long_is_given_up_and_counted(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "SOUND_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(encode, "CAPACITY_BLOCKS", 1)
    gate.put(picture=0)
    gate.sound.entered.wait()
    gate.put(picture=1)
    gate.put(picture=2)
    gate.open.set()

    assert gate.thread.stop(60)
    assert gate.sound.done == [0, 1]
    assert gate.thread.sound_dropped == 1


def test_stop_works_off_what_waits_and_finishes(gate: Gate) -> None:
    gate.open.set()
    for _ in range(3):
        gate.put()

    assert gate.thread.stop(60)
    assert gate.sound.done == [0, 1, 2]
    assert gate.sound.finished
    assert gate.pictures.finished


def test_stop_leaves_a_thread_that_hangs(gate: Gate) -> None:
    gate.put(picture=0)

    assert not gate.thread.stop(0.01)
    gate.open.set()
    assert gate.thread.stop(60)


@pytest.mark.parametrize(("name", "told"), [("sound", 4), ("pictures", 7)])
def test_failure_is_told_once_and_blocks_nobody(gate: Gate, name: str, told: int) -> None:
    part: Part = getattr(gate, name)
    part.breaks_at = told
    gate.open.set()
    for frame in range(10):
        gate.put(picture=frame)
        gate.thread.settle()

    assert gate.thread.stop(60)
    assert gate.failures == [(part.name, "a wrong item")]
    assert told not in part.done


def test_sound_stage_flushes_what_the_encoder_holds() -> None:
    packets: list[EncodedPacket] = []
    encoders = {"opus": OpusEncoder(), "aac": AacEncoder()}
    stage = SoundStage(encoders, packets.append, lambda pts: 0)
    mixer = Mixer(QuietListener())

    for tick in range(0, 16, 2):  # 15 blocks of 1024
        stage.work([mixer.pull(tick * 960), mixer.pull(tick * 960 + 960)])
    stage.finish()

    assert [p.pts for p in packets if p.stream == "aac"] == [n * 1024 for n in range(-1, 15)]
    assert [p.pts for p in packets if p.stream == "opus"] == [n * 960 - 120 for n in range(16)]
    assert {name: meter.count for name, meter in stage.meters.items()} == {"opus": 8, "aac": 8}


def picture_stage(packets: list[EncodedPacket]) -> PictureStage:
    composer = Composer(SPEC, OverlayStack())
    return PictureStage(composer, VideoEncoder(SPEC), packets.append, lambda pts: 0)


def test_low_rendition_is_encoded_only_while_set_and_starts_on_a_keyframe() -> None:
    packets: list[EncodedPacket] = []
    stage = picture_stage(packets)
    for frame in range(6):
        if frame == 2:
            stage.set_low(VideoEncoder(RenditionSpec("low", 160, 90, 1920, 100)))
        if frame == 4:
            stage.set_low(None)
        stage.work(PictureDue(frame, 0))

    assert [p.pts // 1920 for p in packets if p.rendition == "main"] == [0, 1, 2, 3, 4, 5]
    low = [p for p in packets if p.rendition == "low"]
    assert [(p.pts // 1920, p.is_keyframe) for p in low] == [(2, True), (3, False)]


def test_snapshot_is_small_and_ends_with_the_stage() -> None:
    stage = picture_stage([])
    first = stage.snapshot()
    stage.work(PictureDue(0, 0))
    second = stage.snapshot()
    stage.finish()

    assert first.result(0).shape == (270, 320)
    assert second.cancelled()
