"""The whole core from tick to packets: exact times, on time that runs faster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from inference.media.captions import draw_label
from inference.media.clock import TICK_SAMPLES
from inference.media.idle import open_idle_loop
from inference.media.overlay import OverlayPatch, TimedOverlay, make_patch
from inference.media.packets import EncodedPacket, StreamHeaders
from inference.media.ring import Picture
from inference.protocol import RenditionSpec
from inference.runner.core import CoreError, MediaCore, QuietCoreListener
from inference.runner.fanout import Subscription, SubscriptionClosedError
from inference.runner.mixer import Interruption, Samples, Segment
from tests.inference.fake_time import FakeTime

FPS = {25: 1920, 30: 1600, 15: 3200}


class Listener(QuietCoreListener):
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def started(self, utterance: str, generation: int, sample: int) -> None:
        self.calls.append(("started", utterance, generation, sample))

    def finished(
        self, utterance: str, generation: int, played_samples: int, *, completed: bool
    ) -> None:
        self.calls.append(("finished", utterance, generation, played_samples, completed))

    def first_frame(self, pts: int) -> None:
        self.calls.append(("first_frame", pts))

    def rebased(self, gap_samples: int, interruption: Interruption) -> None:
        self.calls.append(("rebased", gap_samples, interruption))

    def failed(self, stage: str, error: Exception) -> None:
        self.calls.append(("failed", stage, error))


class Flashes:
    """Pictures that are black, but white from the first frame at or after each of some samples."""

    def __init__(self, spec: RenditionSpec, samples: list[int]) -> None:
        self.width_px, self.height_px = spec.width_px, spec.height_px
        self.frames = {-(-sample // spec.frame_samples) for sample in samples}
        self.clock: list[tuple[int, int]] = []

    def move_clock(self, frame: int, generation: int) -> None:
        self.clock.append((frame, generation))

    def copy_frame(self, frame: int, out: Picture) -> int:
        out[:] = 128
        out[: self.height_px] = 235 if frame in self.frames else 16
        return self.clock[-1][1]


@dataclass
class Run:
    core: MediaCore
    listener: Listener
    subscription: Subscription
    packets: list[EncodedPacket]
    headers: StreamHeaders

    def stream(self, name: str, rendition: str = "main") -> list[EncodedPacket]:
        return [p for p in self.packets if p.stream == name and p.rendition == rendition]


def run(
    seconds: float,
    *,
    frame_samples: int = 1920,
    start_sample: int = 0,
    streams: tuple[str, ...] = ("video:main", "aac", "opus"),
    prepare: Callable[[MediaCore], object] = lambda core: None,
    at_tick: Callable[[MediaCore, FakeTime, int], object] = lambda core, time, tick: None,
) -> Run:
    """Run a core for some seconds of its own time and collect what it put out."""
    time, over, listener = FakeTime(), threading.Event(), Listener()
    spec = RenditionSpec("main", 320, 180, frame_samples, 600)
    core = MediaCore([spec], listener, time_source=time, start_sample=start_sample)
    subscription = core.hub.subscribe("test", set(streams), capacity_seconds=1e6)
    ticks = iter(range(1_000_000))

    def on_sleep() -> None:
        core.settle()
        for _ in range(core.clock.step // TICK_SAMPLES):
            tick = next(ticks)
            at_tick(core, time, tick)
            if tick == round(seconds * 50) - 1:
                core._stopping.set()
                over.set()

    time.on_sleep = on_sleep
    prepare(core)
    core.start()
    assert over.wait(60)
    assert core.stop(60)
    return Run(core, listener, subscription, list(drain(subscription)), core.headers())


def drain(subscription: Subscription) -> Iterator[EncodedPacket]:
    try:
        while packet := subscription.take():
            yield packet
    except SubscriptionClosedError:
        return


def decode_pictures(made: Run) -> list[tuple[int, float]]:
    """(pts, mean brightness) of every decoded picture."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = made.headers.h264
    frames: list[tuple[int, float]] = []
    for packet in made.stream("video"):
        coded = av.Packet(packet.data)
        coded.pts = packet.pts
        frames += [(f.pts or 0, float(f.to_ndarray()[:180].mean())) for f in decoder.decode(coded)]
    frames += [(f.pts or 0, float(f.to_ndarray()[:180].mean())) for f in decoder.decode(None)]
    return frames


def decode_sound(made: Run, stream: str) -> tuple[int, np.ndarray]:
    """(pts of its first sample, one channel in -1..1), untrimmed."""
    context = av.CodecContext.create("aac" if stream == "aac" else "libopus", "r")
    assert isinstance(context, av.AudioCodecContext)
    head = b"OpusHead\x01\x01\x00\x00" + (48_000).to_bytes(4, "little") + b"\0\0\0"
    context.extradata = made.headers.aac if stream == "aac" else head
    context.sample_rate = 48_000
    context.layout = "stereo" if stream == "aac" else "mono"
    packets = made.stream(stream)
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet.data))]
    sound = np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)
    return packets[0].pts, sound / (1 if stream == "aac" else 32_768)


def onsets(first_pts: int, sound: np.ndarray, around: list[int]) -> list[int]:
    """Where the sound becomes loud near each of some samples."""
    found = []
    for sample in around:
        at = sample - 4800 - first_pts
        found.append(sample - 4800 + int(np.argmax(np.abs(sound[at : at + 9600]) > 0.1)))
    return found


def beep(length: int = 4800) -> Samples:
    return (20_000 * np.sin(np.arange(length) / 8 + 0.5)).astype(np.int16)


@pytest.mark.parametrize("fps", [25, 30, 15])
def test_beep_and_flash_come_out_on_the_same_pts(fps: int) -> None:
    spec = RenditionSpec("main", 320, 180, FPS[fps], 600)
    beeps = [second * 48_000 for second in (1, 2, 5, 8)]
    flashes = Flashes(spec, beeps)

    def speak(core: MediaCore, time: FakeTime, tick: int) -> None:
        sample = (tick + 1) * 960
        if sample + 4800 in beeps:
            lead = sample + 4800 - core.mixer.position
            core.mixer.schedule(Segment.complete(str(sample), beep()), lead_samples=lead)

    made = run(
        9, frame_samples=FPS[fps], prepare=lambda core: core.attach_ring(flashes), at_tick=speak
    )

    pictures = decode_pictures(made)
    assert [pts for pts, _ in pictures] == [n * FPS[fps] for n in range(len(pictures))]
    assert len(pictures) == 9 * fps
    white = [pts for pts, brightness in pictures if brightness > 150]
    assert white == beeps
    for stream in ("aac", "opus"):
        heard = onsets(*decode_sound(made, stream), beeps)
        assert all(abs(a - b) <= 48 for a, b in zip(heard, beeps, strict=True)), (stream, heard)
    assert not any(call[0] == "failed" for call in made.listener.calls)


def test_sound_has_no_hole_and_no_drift_over_half_a_minute() -> None:
    made = run(30, streams=("aac", "opus"))

    opus, aac = made.stream("opus"), made.stream("aac")
    assert [p.pts for p in opus] == [n * 960 - 120 for n in range(30 * 50)]
    assert [p.pts for p in aac] == list(range(-1024, 30 * 48_000, 1024))


def test_clock_that_goes_on_after_a_relaunch_has_the_same_grid() -> None:
    start = 7 * 24 * 3600 * 48_000 + 960  # a week on air, between two pictures
    spoken = Segment.complete("u", beep())

    made = run(
        2,
        frame_samples=FPS[30],
        start_sample=start,
        prepare=lambda core: core.mixer.schedule(spoken, lead_samples=4800),
    )

    first = -(-start // FPS[30]) * FPS[30]
    assert [p.pts for p in made.stream("video")] == [first + n * FPS[30] for n in range(60)]
    assert [p.pts for p in made.stream("opus")] == [start + n * 960 - 120 for n in range(1, 100)]
    assert {(p.pts - start) % 1024 for p in made.stream("aac")} == {0}
    assert ("started", "u", 0, start + 4800) in made.listener.calls
    assert made.core.metrics()["media_time_ms"] == (start + 96_000) // 48


def test_subscriber_gets_no_sound_from_before_its_first_picture() -> None:
    late: list[Subscription] = []

    def join(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 60:
            late.append(core.hub.subscribe("late", {"video:main", "aac", "opus"}))

    run(3, at_tick=join)
    packets = list(drain(late[0]))

    first = packets[0]
    assert (first.stream, first.is_keyframe) == ("video", True)
    assert first.pts - 61 * 960 <= 1920  # asked for at once, not at the end of the GOP
    assert min(p.pts + p.duration for p in packets) > first.pts
    opus = [p.pts for p in packets if p.stream == "opus"]
    assert opus == list(range(opus[0], opus[-1] + 1, 960))


def test_interrupt_is_heard_within_a_tick_and_pictures_wait_for_the_new_generation() -> None:
    cuts: list[Interruption] = []
    flashes = Flashes(RenditionSpec("main", 320, 180, 1920, 600), [])

    def steer(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 10:
            core.mixer.schedule(Segment.complete("long", beep(480_000)), after="now")
        if tick == 51:
            cuts.append(core.mixer.interrupt())

    made = run(2, prepare=lambda core: core.attach_ring(flashes), at_tick=steer)

    cut = cuts[0]
    first, sound = decode_sound(made, "opus")
    loud = first + np.nonzero(np.abs(sound) > 0.05)[0]
    assert cut.at_sample - 48 < loud.max() <= cut.at_sample + 480 + 240
    assert ("finished", "long", 0, cut.played_samples, False) in made.listener.calls
    assert flashes.clock[-1][1] == 1
    told = next(frame for frame, generation in flashes.clock if generation == 1)
    assert told == cut.at_sample // 1920  # told on the very next tick


def test_late_ticks_skip_pictures_and_never_sound() -> None:
    def stall(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 24:
            time.now_ns += 300_000_000

    made = run(2, at_tick=stall)

    frames = [p.pts // 1920 for p in made.stream("video")]
    assert 0 < len(set(range(frames[-1])) - set(frames)) <= 7
    assert frames == sorted(set(frames))
    opus = [p.pts for p in made.stream("opus")]
    assert opus == [n * 960 - 120 for n in range(1, len(opus) + 1)]
    assert made.core.metrics()["dropped"] == len(set(range(frames[-1])) - set(frames))


def test_suspended_machine_jumps_with_a_keyframe_and_cuts_the_sentence() -> None:
    def suspend(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 10:
            core.mixer.schedule(Segment.complete("long", beep(480_000)), after="now")
        if tick == 49:
            time.suspended_ns += 7_000_000_000

    made = run(2, at_tick=suspend)

    (rebased,) = [call for call in made.listener.calls if call[0] == "rebased"]
    gap, interruption = rebased[1], rebased[2]
    assert isinstance(interruption, Interruption)
    assert gap == pytest.approx(7 * 48_000, abs=960)
    assert interruption.utterance == "long"
    video = made.stream("video")
    jumps = [n for n in range(1, len(video)) if video[n].pts - video[n - 1].pts > 1920]
    assert len(jumps) == 1
    after = video[jumps[0]]
    assert after.is_keyframe
    assert after.pts % 1920 == 0
    opus = [p.pts for p in made.stream("opus")]
    assert {b - a for a, b in zip(opus, opus[1:], strict=False)} == {960, 960 + gap}
    assert made.core.metrics()["rebases"] == 1


def test_low_rendition_lives_as_long_as_it_is_used() -> None:
    low: list[Subscription] = []

    def use(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 10:
            assert core.acquire_rendition("low") == core.acquire_rendition("low")
            low.append(core.hub.subscribe("weak", {"video:low", "opus"}))
        if tick == 20:
            core.release_rendition("low")
        if tick == 30:
            core.release_rendition("low")

    made = run(1, at_tick=use)

    packets = [p for p in drain(low[0]) if p.stream == "video"]
    assert packets[0].is_keyframe
    assert len(packets) == 10
    with pytest.raises(CoreError, match="not encoded"):
        made.core.headers("low")
    with pytest.raises(CoreError, match="released more often"):
        made.core.release_rendition("low")


def test_metrics_count_what_was_made() -> None:
    seen: list[dict[str, Any]] = []
    run(2, at_tick=lambda core, time, tick: seen.append(core.metrics()))
    metrics = seen[-1]

    assert metrics["frames"] == 50
    assert metrics["fps"] == 25
    assert metrics["media_time_ms"] == 2000
    assert metrics["dropped"] == metrics["sound_dropped"] == metrics["held"] == 0
    assert metrics["source"] == "idle"
    assert metrics["readers"]["test"]["dropped"] == 0
    assert set(metrics["cpu_ms_per_frame"]) == {
        "tick", "compose", "h264", "h264_low", "publish", "aac", "opus",
    }  # fmt: skip


def test_label_is_in_the_picture() -> None:
    image = draw_label("AI 生成", 320, 180)
    assert image is not None
    patch = make_patch(np.asarray(image, np.uint8), 6, 6)
    made = run(1, prepare=lambda core: core.overlays.put("label", TimedOverlay(patch)))
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = made.headers.h264
    frames = [f for p in made.stream("video") for f in decoder.decode(av.Packet(p.data))]

    luma = frames[-1].to_ndarray()[:180]
    corner = luma[patch.y_px :, patch.x_px :][: patch.height_px, : patch.width_px]
    assert corner.max() > 200
    assert luma[100:].max() < 120


def white_bar() -> OverlayPatch:
    return make_patch(np.full((40, 320, 4), 255, np.uint8), 0, 140)


def test_caption_shows_in_its_time_and_an_interrupt_takes_it_away() -> None:
    def prepare(core: MediaCore) -> None:
        core.add_caption(white_bar(), 5 * 1920, 10 * 1920)
        core.add_caption(white_bar(), 15 * 1920, None, generation=0)

    def cut(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 39:  # between frames 19 and 20
            core.mixer.interrupt()

    pictures = decode_pictures(run(1, prepare=prepare, at_tick=cut))

    shown = [pts // 1920 for pts, brightness in pictures if brightness > 80]
    assert shown == [5, 6, 7, 8, 9, 15, 16, 17, 18, 19]


def test_what_is_in_a_layer_can_be_ended_and_cleared() -> None:
    def prepare(core: MediaCore) -> None:
        core.overlays.put("title", TimedOverlay(white_bar(), 5 * 1920, 100 * 1920))
        core.add_caption(white_bar(), 10 * 1920, None)

    def clear(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick == 13:
            core.overlays.end("title", 8 * 1920)
        if tick == 29:
            core.overlays.clear("caption")

    pictures = decode_pictures(run(1, prepare=prepare, at_tick=clear))

    shown = [pts // 1920 for pts, brightness in pictures if brightness > 80]
    assert shown == [5, 6, 7, 10, 11, 12, 13, 14]


def test_idle_loop_of_a_file_plays(tmp_path: Path) -> None:
    path = tmp_path / "idle.i420"
    loop = np.full((2, 270, 320), 128, np.uint8)
    loop[0, :180], loop[1, :180] = 40, 200
    path.write_bytes(loop.tobytes())
    description = {"width": 320, "height": 180, "frame_samples": 1920, "frames": 2}
    path.with_suffix(".json").write_text(json.dumps(description))

    pictures = decode_pictures(run(1, prepare=lambda core: core.set_idle(open_idle_loop(path))))

    assert [brightness > 120 for _, brightness in pictures[:6]] == [False, True] * 3


def test_broken_listener_is_told_as_failure_of_the_clock() -> None:
    class Broken(Listener):
        over = threading.Event()

        def started(self, utterance: str, generation: int, sample: int) -> None:
            raise RuntimeError("the loop is closed")

        def failed(self, stage: str, error: Exception) -> None:
            super().failed(stage, error)
            self.over.set()

    listener = Broken()
    spec = RenditionSpec("main", 320, 180, 1920, 600)
    core = MediaCore([spec], listener, time_source=FakeTime())
    core.mixer.schedule(Segment.complete("a", beep()))
    core.start()

    assert listener.over.wait(60)
    assert core.stop(60)
    assert [call[:2] for call in listener.calls if call[0] == "failed"] == [("failed", "tick")]


def test_missing_idle_loop_leaves_a_plain_background(tmp_path: Path) -> None:
    spec = RenditionSpec("main", 320, 180, 1920, 600)
    core = MediaCore([spec], QuietCoreListener(), idle_path=tmp_path / "none.i420")
    core.start()
    picture = cv2.imdecode(np.frombuffer(core.thumbnail(60) or b"", np.uint8), cv2.IMREAD_COLOR)

    assert core.stop(60)
    assert picture is not None
    assert picture.shape == (180, 320, 3)
    assert core.thumbnail(0.01) is None


def test_renditions_that_are_not_possible_are_refused() -> None:
    main = RenditionSpec("main", 320, 180, 1920, 600)

    with pytest.raises(CoreError, match="one rendition"):
        MediaCore([main, main], QuietCoreListener())
    with pytest.raises(CoreError, match="taken"):
        MediaCore([RenditionSpec("low", 320, 180, 1920, 600)], QuietCoreListener())
    with pytest.raises(CoreError, match="not encoded"):
        MediaCore([main], QuietCoreListener()).headers("other")
