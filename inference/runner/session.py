"""One broadcast from start to end: connect, go on air, obey, drain, leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

from inference.catalog import get_engine
from inference.closing_spec import Closing
from inference.engines.base import FaceSetup
from inference.media.encoder import CodecName, VideoSettings
from inference.media.encoder_choice import choose_encoder
from inference.media.idle import idle_loop_path
from inference.protocol import (
    SAMPLE_RATE_HZ,
    Command,
    Json,
    RunnerSpec,
    VoiceSpec,
    decode_command,
)
from inference.runner.bootstrap import Arguments
from inference.runner.commands import CommandDesk
from inference.runner.core import MediaCore
from inference.runner.director import Director
from inference.runner.drawing import draw
from inference.runner.encoder_watch import EncoderWatch
from inference.runner.face_watch import FaceWatch
from inference.runner.first_picture import first_picture, show_room
from inference.runner.journal import CommandJournal
from inference.runner.life import LifePipe
from inference.runner.lines import SAMPLES_PER_MS
from inference.runner.link import LinkHandlers, LinkUnreachableError, RunnerLink, StaleRunnerError
from inference.runner.mixer import TICK_SAMPLES, Interruption
from inference.runner.outbox import Outbox
from inference.runner.output_board import OutputBoard
from inference.runner.process_memory import proportional_set_mib
from inference.runner.script import Script
from inference.runner.signalling import Viewers
from inference.runner.standing import standing
from inference.workers.face_client import FaceClient
from inference.workers.speech_client import SpeechClient

logger = logging.getLogger(__name__)

EXIT_OK: Final = 0
EXIT_STALE: Final = 3
EXIT_UNREACHABLE: Final = 4
EXIT_CRASHED: Final = 5

# What the last sentence needs to reach every reader before the outputs close.
TAIL_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 5.0
METRICS_SECONDS: Final = 1.0
# How long a show that begins waits for its presenter, and its clock for label and title.
PRESENTER_SECONDS: Final = 60.0
OVERLAY_SECONDS: Final = 1.0
# Counting shared pages walks every page table: some ms for each process.
MEMORY_EVERY_SECONDS: Final = 15.0


class _CoreEvents:
    """Brings what the media threads tell onto the event loop."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()

    def _call(self, method: Any, *args: Any, **options: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the broadcast has ended
            self._loop.call_soon_threadsafe(lambda: method(*args, **options))

    def placed(self, utterance: str, generation: int, start_sample: int) -> None:
        self._call(self._session.script.placed, utterance, start_sample)

    def started(self, utterance: str, generation: int, sample: int) -> None:
        self._call(self._session.script.started, utterance, generation, sample)

    def finished(
        self, utterance: str, generation: int, played_samples: int, *, completed: bool
    ) -> None:
        script = self._session.script
        self._call(script.finished, utterance, generation, played_samples, completed=completed)

    def underrun(
        self, utterance: str, generation: int, at_sample: int, silent_samples: int
    ) -> None:
        pass  # counted by the mixer, shown in the metrics

    def first_frame(self, pts: int) -> None:
        self._call(self._session.first_frame, pts)

    def rebased(self, gap_samples: int, interruption: Interruption) -> None:
        self._call(self._session.rebased, gap_samples, interruption)

    def failed(self, stage: str, error: Exception) -> None:
        self._call(self._session.crashed, stage)


class Session:
    """The parts of one broadcast and their life."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._ended = asyncio.Event()
        self._end_reason = ""
        self._exit_status = EXIT_OK
        self._thumbnail_until = 0.0
        self._face_watch = FaceWatch()
        self._encoder_watch = EncoderWatch()
        self._memory: Json = {}
        self._memory_at = 0.0

    async def run(self) -> int:
        """The whole life; the process's exit status."""
        self._watch_life()
        bootstrap = self._arguments.bootstrap
        folder = Path(bootstrap.run_folder)
        outbox, journal = Outbox(folder), CommandJournal(folder)
        self._outbox = outbox
        self.link = RunnerLink(
            bootstrap.web_url,
            bootstrap.broadcast,
            bootstrap.lease_epoch,
            bootstrap.token,
            outbox,
            journal=journal,
        )
        try:
            self.spec = await self.link.connect_first()
        except StaleRunnerError:
            return EXIT_STALE
        except LinkUnreachableError:
            logger.error("the web side cannot be reached")
            return EXIT_UNREACHABLE
        await self._broadcast()
        return self._exit_status

    # --- on air -----------------------------------------------------------------------------

    async def _broadcast(self) -> None:
        # What asks a driver may take seconds, in which a signal to end has to be heard.
        self._build(await asyncio.to_thread(choose_encoder, self.spec.video_encoder))
        if self._has_to_load():
            self.script.await_presenter(PRESENTER_SECONDS)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self.speech.worker.run(), name="speech"),
                tasks.create_task(self.face.worker.run(), name="face"),
            ]
            overlays = tasks.create_task(self.director.show_overlays(), name="overlays")
            # The AI label is there from the first picture on.
            await asyncio.wait({overlays}, timeout=OVERLAY_SECONDS)
            self._go_on_air()
            # From here on: what an operator asked for meanwhile finds a script that has begun.
            running += [
                tasks.create_task(self.link.run(self._handlers()), name="link"),
                tasks.create_task(self._report_for_ever(), name="report"),
                tasks.create_task(self.viewers.watch(), name="viewers"),
            ]
            if self._lacks_loop:
                room = show_room(self.core, self._setup, self.spec.avatar.engine)
                running.append(tasks.create_task(room, name="room"))
            await self._ended.wait()
            await self._leave_air()
            await self._say_goodbye()
            for task in running:
                task.cancel()

    def _build(self, encoder: CodecName) -> None:
        spec = self.spec
        rendition = spec.renditions[0]
        self._setup = setup = FaceSetup(
            width_px=rendition.width_px,
            height_px=rendition.height_px,
            frame_samples=rendition.frame_samples,
            framing=rendition.framing,
            background=spec.background,
            settings=spec.avatar.settings,
            cache_folder=spec.cache_folder,
        )
        idle = idle_loop_path(setup, engine=spec.avatar.engine)
        # After a relaunch media time goes on: one clock for the whole transcript.
        elapsed_ticks = round(spec.elapsed_seconds * SAMPLE_RATE_HZ) // TICK_SAMPLES
        self.core = MediaCore(
            spec.renditions,
            _CoreEvents(self),
            idle_path=idle if idle.exists() else None,
            start_sample=elapsed_ticks * TICK_SAMPLES,
            settings=VideoSettings(encoder=encoder),
        )
        self._lacks_loop = not idle.exists() or self.core.has_damaged_idle_loop
        if self._lacks_loop:
            self._show_first_picture(setup)
        self._build_workers(spec, setup)
        self.director = Director(
            self.core,
            self.face,
            spec.overlays,
            rendition,
            self.link.publish_live,
            tell=lambda reason: self._worker("overlays", "failed", 0, reason),
        )
        self.outputs = OutputBoard(spec, self.core, self.link.emit)
        self.script = Script(
            spec,
            self.core.mixer,
            self.speech,
            self.director,
            emit=self.link.emit,
            on_end=self._script_ended,
        )
        self.desk = CommandDesk(self)
        self.viewers = Viewers(
            self.core,
            spec.ice,
            spec.viewer_limit,
            send=self.link.send_signal,
            emit=self.link.emit,
        )

    def _show_first_picture(self, setup: FaceSetup) -> None:
        """A presenter who was built a moment ago goes on air before the loop is drawn."""
        if (picture := first_picture(setup, self.spec.avatar.engine)) is not None:
            self.core.set_still(picture)

    def _build_workers(self, spec: RunnerSpec, setup: FaceSetup) -> None:
        self.speech = SpeechClient(
            spec.voices,
            on_ready=lambda speech: self.script.speech_made(speech),
            on_state=lambda state, pid, reason: self._worker("speech", state, pid, reason),
            on_voice_failed=self._voice_failed,
            on_made=self._speech_made,
            test_engines=spec.test_engines,
        )
        self.face = FaceClient(
            spec.broadcast,
            spec.avatar.engine,
            setup,
            attach=self.core.attach_ring,
            detach=self.core.detach_ring,
            position=lambda: self.core.mixer.position,
            on_state=self._face_state,
            on_failed=lambda message: self._face_state("failed", 0, message),
            test_engines=spec.test_engines,
        )

    def _go_on_air(self) -> None:
        cursor, state = standing(self._outbox, self.spec)
        self.link.emit("runner.started", {"pid": os.getpid(), "lease_epoch": self.spec.lease_epoch})
        if self.core.has_damaged_idle_loop:
            self._worker("idle_loop", "failed", 0, "the stored idle picture is damaged")
        self.script.warm(cursor)
        self.core.start()
        self.outputs.open()
        self.script.start(cursor, state, self.spec.says)

    def _has_to_load(self) -> bool:
        """Networks take seconds to load, and a size that is new to this host to be drawn; a show
        that went on air before goes on without them."""
        is_neural = get_engine("face", self.spec.avatar.engine).needs_audio
        return (is_neural or self._lacks_loop) and not self.spec.elapsed_seconds

    # --- what happens -------------------------------------------------------------------------

    def first_frame(self, pts: int) -> None:
        """The first picture has left the encoder: the broadcast is live."""
        self.link.emit("broadcast.first_frame", {"media_time_ms": pts // 48})
        self.link.emit("broadcast.state", {"state": "live", "reason": ""})

    def rebased(self, gap_samples: int, interruption: Interruption) -> None:
        """The machine stood still; the sentence starts again."""
        self.link.emit("clock.rebased", {"gap_ms": gap_samples // SAMPLES_PER_MS})
        self.script.rebased(interruption)

    def end(self, reason: str, *, now: bool, closing: Closing | None = None) -> None:
        """End the broadcast: at once, or when the sentence has ended and the closing was heard."""
        if self._ended.is_set():
            return
        self._end_reason = reason
        self.link.emit("broadcast.state", {"state": "stopping", "reason": reason})
        self.script.end(reason, now=now, closing=closing)

    def crashed(self, stage: str, reason: str = "a media stage failed") -> None:
        """A media thread is of no use. Leave the air; a new runner goes on at the cursor."""
        self._worker(f"core:{stage}", "died", os.getpid(), reason)
        self._leave_with(EXIT_CRASHED)

    def _leave_with(self, status: int) -> None:
        self._exit_status = self._exit_status or status
        self._ended.set()

    def _script_ended(self, reason: str) -> None:
        self._end_reason = self._end_reason or reason
        self._ended.set()

    def _stale(self, reason: str) -> None:
        """Another runner has taken over: leave the air at once, tell nobody."""
        logger.warning("leaving the air", extra={"reason": reason})
        self._leave_with(EXIT_STALE)

    def _worker(self, kind: str, state: str, pid: int, reason: str) -> None:
        data = {"kind": kind, "pid": pid, "state": state, "reason": reason}
        self.link.emit("worker", data)

    def _face_state(self, state: str, pid: int, reason: str) -> None:
        self._worker("face", state, pid, reason)
        # Died: it is tried again, maybe in vain; what is to be said is not held up by it.
        self.script.presenter_is_there()

    def _voice_failed(self, voice: Any, message: str) -> None:
        self._worker(f"voice:{voice.engine}", "failed", 0, message)

    def _speech_made(self, voice: VoiceSpec, text: str, tokens: int) -> None:
        """What a voice was paid for, or would have been: counted once, by the web side."""
        data = {"voice": voice.id, "engine": voice.engine, "characters": len(text)}
        self.link.emit("speech.made", {**data, "tokens": tokens})

    def _renew_spec(self, spec: RunnerSpec) -> None:
        """What was changed while the link was down, and credentials before they expire."""
        self.outputs.follow(spec)
        self.viewers.renew_servers(spec.ice)

    async def _obey(self, command: Command) -> Json | None:
        return await self.desk.execute(decode_command(command.name, command.args))

    # --- leaving --------------------------------------------------------------------------------

    async def _leave_air(self) -> None:
        """Close part after part; one that fails is logged and keeps none of the others open."""
        if self._exit_status == EXIT_OK and self.core.metrics()["frames"]:
            await asyncio.sleep(TAIL_SECONDS)
        self.script.close()
        self.director.close()
        steps = (
            self.viewers.close(),
            self.outputs.close(),
            asyncio.to_thread(self.core.stop),
            self.face.close(),
            self.speech.close(),
        )
        for step in steps:
            try:
                await step
            except Exception:
                logger.exception("a part of the broadcast did not close cleanly")

    async def _say_goodbye(self) -> None:
        """Tell the end; after a crash only what is waiting, so that another runner goes on."""
        if self._exit_status == EXIT_STALE:
            return
        if self._exit_status == EXIT_OK:
            data = {"state": "ended", "reason": self._end_reason, "summary": self.metrics()}
            self.link.emit("broadcast.state", data)
        await self.link.drain(DRAIN_SECONDS)

    # --- reports --------------------------------------------------------------------------------

    async def _report_for_ever(self) -> None:
        while True:
            await asyncio.sleep(METRICS_SECONDS)
            try:
                await self._look_around()
            except Exception:
                # The edge: what only reports must not end the show.
                logger.exception("the report of this moment failed")

    async def _look_around(self) -> None:
        rounds, part = self.core.encoding
        if self._encoder_watch.hangs(rounds, part):
            self.crashed(part, "the encoder stood still")
        self.script.look_again()
        self._watch_face()
        await self._measure_memory()
        self.link.publish_metrics(self.metrics())
        if time.monotonic() < self._thumbnail_until:
            await self._send_thumbnail()

    def _watch_face(self) -> None:
        """Replace a face worker that is ready and draws no picture any more."""
        if self._face_watch.hangs(self.core.pictures_drawn, is_ready=self.face.worker.is_ready):
            self.face.worker.kill("it draws no pictures")

    async def _measure_memory(self) -> None:
        if time.monotonic() - self._memory_at < MEMORY_EVERY_SECONDS:
            return
        self._memory_at = time.monotonic()
        processes = [("core", os.getpid())]
        processes += [(worker["kind"], worker["pid"]) for worker in self.workers()]
        self._memory = await asyncio.to_thread(proportional_set_mib, processes)

    async def _send_thumbnail(self) -> None:
        if jpeg := await draw(self.core.thumbnail):
            self.link.publish_thumbnail(jpeg)

    def _want_thumbnail(self, seconds: float) -> None:
        self._thumbnail_until = time.monotonic() + min(seconds, 30.0)

    def metrics(self) -> Json:
        """The live numbers of the broadcast."""
        return {
            **self.core.metrics(),
            "outputs": self.outputs.metrics(),
            "viewers": len(self.viewers),
            "faces_late": self.face.late_frames,
            "presenter_loads": self._has_to_load() and not self.face.worker.is_ready,
            "first_audio_ms": self.script.delays.first_audio_ms,
            "interrupt_ms": self.script.delays.interrupt_ms,
            "memory_mib": self._memory,
            "link_reconnects": self.link.reconnects,
        }

    def workers(self) -> tuple[Json, ...]:
        """The processes of this broadcast beside the core."""
        pairs = (("speech", self.speech.worker.pid), ("face", self.face.worker.pid))
        named = [{"kind": kind, "pid": pid} for kind, pid in pairs if pid]
        return (*named, *self.outputs.workers())

    # --- wiring ---------------------------------------------------------------------------------

    def _handlers(self) -> LinkHandlers:
        return LinkHandlers(
            on_command=self._obey,
            on_stale=self._stale,
            on_signal=self.viewers.handle,
            on_spec=self._renew_spec,
            on_thumbnail_wanted=self._want_thumbnail,
            metrics=self.metrics,
            workers=self.workers,
        )

    def _watch_life(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_leave, "the runner was asked to end")
        if self._arguments.life_fd is not None:
            reason = "the platform was shut down"
            LifePipe(self._arguments.life_fd, lambda: self._asked_to_leave(reason)).watch()

    def _asked_to_leave(self, reason: str) -> None:
        if hasattr(self, "script"):
            self.end(reason, now=True)
        else:
            raise SystemExit(EXIT_OK)
