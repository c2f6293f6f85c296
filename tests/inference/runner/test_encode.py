"""Stages: what is skipped, what waits, what is told."""

from __future__ import annotations

import threading

import pytest

from inference.media.encoder import AacEncoder, OpusEncoder, VideoEncoder
from inference.media.overlay import OverlayStack
from inference.media.packets import EncodedPacket
from inference.protocol import RenditionSpec
from inference.runner import encode
from inference.runner.compose import Composer
from inference.runner.encode import PictureDue, PictureStage, SoundStage, Stage
from inference.runner.mixer import Mixer, QuietListener

SPEC = RenditionSpec("main", 320, 180, 1920, 500)


class Gate(Stage[int]):
    """Works only while open."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []
        super().__init__("gate", lambda name, error: self.failures.append((name, str(error))))
        self.open = threading.Event()
        self.entered = threading.Event()
        self.done: list[int] = []
        self.finished = False

    def work(self, item: int) -> None:
        self.entered.set()
        self.open.wait()
        if item < 0:
            raise ValueError("a wrong item")
        self.done.append(item)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def gate() -> Gate:
    stage = Gate()
    stage.start()
    return stage


def test_full_picture_queue_drops_the_oldest(gate: Gate) -> None:
    gate.put_newest(0)
    gate.entered.wait()
    for item in (1, 2, 3, 4):
        gate.put_newest(item)
    gate.open.set()

    assert gate.stop(10)
    assert gate.done == [0, 3, 4]
    assert gate.dropped == 2


def test_full_sound_queue_waits_and_loses_nothing(gate: Gate) -> None:
    gate.put_all(0)
    gate.entered.wait()
    producer = threading.Thread(target=lambda: [gate.put_all(item) for item in range(1, 10)])
    producer.start()
    gate.open.set()
    producer.join()

    assert gate.stop(10)
    assert gate.done == list(range(10))
    assert gate.dropped == 0


def test_sound_that_waits_too_long_is_given_up_and_counted(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encode, "SOUND_WAIT_SECONDS", 0.01)
    gate.put_all(0)
    gate.entered.wait()
    for item in (1, 2, 3):
        gate.put_all(item)
    gate.open.set()

    assert gate.stop(10)
    assert gate.done == [0, 1, 2]
    assert gate.dropped == 1


def test_stop_works_off_the_queue_and_finishes(gate: Gate) -> None:
    gate.open.set()
    gate.put_all(1)
    gate.put_all(2)

    assert gate.stop(10)
    assert gate.done == [1, 2]
    assert gate.finished


def test_stop_leaves_a_stage_that_hangs(gate: Gate) -> None:
    gate.put_all(1)

    assert not gate.stop(0.01)
    gate.open.set()
    assert gate.stop(10)


def test_failure_is_told_once_and_blocks_nobody(gate: Gate) -> None:
    gate.open.set()
    gate.put_all(-1)
    for item in range(10):
        gate.put_all(item)
    gate.settle()

    assert gate.stop(10)
    assert gate.failures == [("gate", "a wrong item")]


def never(name: str, error: Exception) -> None:
    raise AssertionError(name) from error


def test_sound_stage_flushes_what_the_encoder_holds() -> None:
    packets: list[EncodedPacket] = []
    encoders = {"opus": OpusEncoder(), "aac": AacEncoder()}
    stage = SoundStage(encoders, packets.append, lambda pts: 0, never)
    stage.start()
    mixer = Mixer(QuietListener())
    for tick in range(16):  # 15 blocks of 1024
        stage.put_all(mixer.pull(tick * 960))

    assert stage.stop(10)
    assert [p.pts for p in packets if p.stream == "aac"] == [n * 1024 for n in range(-1, 15)]
    assert [p.pts for p in packets if p.stream == "opus"] == [n * 960 - 120 for n in range(16)]
    assert {name: meter.count for name, meter in stage.meters.items()} == {"opus": 16, "aac": 16}


def picture_stage(packets: list[EncodedPacket]) -> PictureStage:
    composer = Composer(SPEC, OverlayStack())
    return PictureStage(composer, VideoEncoder(SPEC), packets.append, lambda pts: 0, never)


def test_low_rendition_is_encoded_only_while_set_and_starts_on_a_keyframe() -> None:
    packets: list[EncodedPacket] = []
    stage = picture_stage(packets)
    stage.start()
    for frame in range(6):
        if frame == 2:
            stage.set_low(VideoEncoder(RenditionSpec("low", 160, 90, 1920, 100)))
        if frame == 4:
            stage.set_low(None)
        stage.put_newest(PictureDue(frame, 0))
        stage.settle()

    assert stage.stop(10)
    assert [p.pts // 1920 for p in packets if p.rendition == "main"] == [0, 1, 2, 3, 4, 5]
    low = [p for p in packets if p.rendition == "low"]
    assert [(p.pts // 1920, p.is_keyframe) for p in low] == [(2, True), (3, False)]


def test_snapshot_is_small_and_ends_with_the_stage() -> None:
    stage = picture_stage([])
    stage.start()
    first = stage.snapshot()
    stage.put_newest(PictureDue(0, 0))
    stage.settle()
    second = stage.snapshot()
    stage.stop(10)

    assert first.result(0).shape == (270, 320)
    assert second.cancelled()
