"""Viewers of a broadcast: offers in, answers out, the limit, the rungs of quality."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from inference.media import ice
from inference.media.encoder import OPUS_DELAY_SAMPLES
from inference.media.tracks import PacketSource, PacketTrack
from inference.protocol import (
    SAMPLE_RATE_HZ,
    SIGNAL_DEADLINE_SECONDS,
    IceSpec,
    Json,
    Signal,
)
from inference.runner.core import LOW_BITRATE_KBPS, LOW_RENDITION, CoreError, MediaCore
from inference.runner.fanout import Subscription
from inference.runner.offers import UnboundedOfferError, require_bounded
from inference.runner.rtp_sender import Packetizer
from inference.runner.rungs import Ladder
from inference.runner.viewer import NoAddressError, NoH264Error, Viewer

logger = logging.getLogger(__name__)

VIEWER_SECONDS: Final = 1.0  # of media a viewer may fall behind before pictures are dropped
CHECK_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 5
HANDSHAKE_SECONDS: Final = 1.0
MAX_JOINS: Final = 10
# Who asks and does not connect holds a place for 15 s: one address does not get all of them.
OF_ONE_SOURCE: Final = 8
# So many handshakes of one address may run beside each other; further joins are not held up.
HANDSHAKES_OF_ONE_SOURCE: Final = 2
SOUND_ONLY: Final = "sound"


class Viewers:
    """All viewers. send(signal): to the web side. emit(kind, data): an event.

    capacity: `limit` viewers; one more is refused. Joins are answered one at a time.
    """

    def __init__(
        self,
        core: MediaCore,
        spec: IceSpec,
        limit: int,
        *,
        send: Callable[[Signal], None],
        emit: Callable[[str, Json], object],
    ) -> None:
        self._core = core
        self._spec = spec
        self._limit = limit
        self._send = send
        self._emit = emit
        self._configuration = ice.configuration(spec)
        self._viewers: dict[str, Viewer] = {}
        self._ladders: dict[str, Ladder] = {}
        self._sources: dict[str, str] = {}
        self._packetizer = Packetizer()
        self._kbps = {
            core.spec.id: core.spec.bitrate_kbps, LOW_RENDITION: LOW_BITRATE_KBPS, SOUND_ONLY: 0,
        }  # fmt: skip
        self._joining = asyncio.Lock()
        self._joins: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Apart: a goodbye that is cut short leaves its sockets open.
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_closed = False
        ice.limit_gathering()
        ice.use_addresses(spec)
        ice.use_ports(spec, asyncio.get_running_loop())

    def __len__(self) -> int:
        return len(self._viewers)

    async def handle(self, signal: Signal) -> None:
        """One signal of a viewer; what is wrong with it is answered as `error`."""
        viewer = self._viewers.get(signal.viewer)
        if signal.kind == "offer":
            self._offer(signal)
        elif signal.kind == "bye":
            _keep(self._leaving, self._say_bye(signal.viewer))
        elif signal.kind == "candidate" and viewer is not None:
            try:
                await viewer.add_candidate(signal.data)
            except (ValueError, KeyError, IndexError):
                self._refuse(signal, "bad_candidate", "The ICE candidate cannot be read.")
        else:
            self._refuse(signal, "unknown_viewer", "This viewer is not connected.")

    def renew_servers(self, spec: IceSpec) -> None:
        """Use these STUN and TURN servers for viewers who join from now on."""
        self._configuration = ice.configuration(spec)

    async def watch(self) -> None:
        """For ever: move weak viewers down a rung, and up again when they are well."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for viewer in list(self._viewers.values()):
                try:
                    if viewer.is_connected:
                        self._move(viewer, self._ladders[viewer.id])
                except Exception:
                    # The edge of one viewer: its rung must not end the show.
                    logger.exception("a viewer could not be moved to another rung")

    async def close(self) -> None:
        self._is_closed = True
        for task in (*self._joins.values(), *self._tasks):
            task.cancel()
        leaving = (self._leave(viewer) for viewer in list(self._viewers))
        await asyncio.gather(*leaving, *self._leaving)

    # --- joining and leaving --------------------------------------------------------------------

    def _offer(self, signal: Signal) -> None:
        """Queue a join. The web side waits 5 s for its answer, so a longer queue helps nobody."""
        sdp, source = str(signal.data.get("sdp", "")), str(signal.data.get("source", ""))
        try:
            require_bounded(sdp)
        except UnboundedOfferError as error:
            self._refuse(signal, "bad_offer", f"The offer is refused: {error}.")
            return
        is_full = len(self._joins) >= MAX_JOINS or self._is_greedy(source, signal.viewer)
        if self._is_closed or is_full:
            message = "Too many viewers join at this moment; try again later."
            self._refuse(signal, "viewer_limit", message, RETRY_SECONDS)
            return
        before = self._joins.pop(signal.viewer, None)
        if before is not None:
            before.cancel()
        self._sources[signal.viewer] = source
        task = asyncio.create_task(self._join(signal, time.monotonic()))
        self._joins[signal.viewer] = task
        task.add_done_callback(lambda done: self._forget_join(signal.viewer, done))

    def _forget_join(self, viewer_id: str, done: asyncio.Task[None]) -> None:
        if self._joins.get(viewer_id) is done:
            del self._joins[viewer_id]
            if viewer_id not in self._viewers:
                self._sources.pop(viewer_id, None)

    def _unconnected(self, source: str) -> set[str]:
        """Viewers from an address who were answered, and are not connected yet."""
        return {
            viewer.id
            for viewer in self._viewers.values()
            if self._sources.get(viewer.id) == source and not viewer.is_connected
        }

    def _is_greedy(self, source: str, viewer_id: str) -> bool:
        """Whether this address has asked for as many viewers at once as one may."""
        asked = {viewer for viewer in self._joins if self._sources.get(viewer) == source}
        others = (asked | self._unconnected(source)) - {viewer_id}
        return bool(source) and len(others) >= OF_ONE_SOURCE

    def _has_handshakes(self, viewer_id: str) -> bool:
        source = self._sources.get(viewer_id, "")
        return bool(source) and len(self._unconnected(source)) > HANDSHAKES_OF_ONE_SOURCE

    async def _say_bye(self, viewer_id: str) -> None:
        """A viewer leaves, perhaps before its turn to join has come."""
        join = self._joins.pop(viewer_id, None)
        if join is not None:
            join.cancel()
            await asyncio.gather(join, return_exceptions=True)
        await self._leave(viewer_id)

    async def _join(self, signal: Signal, asked_at: float) -> None:
        async with self._joining:
            if time.monotonic() - asked_at > SIGNAL_DEADLINE_SECONDS:
                return  # nobody waits for this answer any more
            await self._send_away(signal.viewer)
            if len(self._viewers) >= self._limit:
                message = f"The broadcast has its {self._limit} viewers; try again later."
                self._refuse(signal, "viewer_limit", message, RETRY_SECONDS)
                return
            viewer = self._viewers[signal.viewer] = self._make(signal.viewer)
            self._ladders[signal.viewer] = Ladder((self._core.spec.id, LOW_RENDITION, SOUND_ONLY))
            # From here on, so that a join which is cut short leaves no place taken.
            _keep(self._tasks, self._give_up_unconnected(viewer))
            if not await self._answer(viewer, signal):
                await self._send_away(signal.viewer)
                return
            _keep(self._tasks, viewer.add_hidden_candidates())
            if self._has_handshakes(signal.viewer):
                return
            with contextlib.suppress(TimeoutError):
                # Handshakes of many viewers at once would starve the clock.
                async with asyncio.timeout(HANDSHAKE_SECONDS):
                    await viewer.wait_connected()

    async def _answer(self, viewer: Viewer, signal: Signal) -> bool:
        try:
            async with asyncio.timeout(SIGNAL_DEADLINE_SECONDS):
                sdp = await viewer.answer(str(signal.data.get("sdp", "")))
        except TimeoutError:
            message = "The connection was not prepared in time; try again later."
            self._refuse(signal, "busy", message, RETRY_SECONDS)
        except NoH264Error as error:
            message = f"This browser cannot play H.264 by WebRTC: {error}."
            self._refuse(signal, "no_h264", message)
        except NoAddressError as error:
            message = f"The runner cannot be reached now: {error}."
            self._refuse(signal, "ice", message, RETRY_SECONDS)
        except Exception:
            # aiortc raises whatever its parser met; the offer is the viewer's, not ours.
            logger.warning("offer not understood", exc_info=True)
            self._refuse(signal, "bad_offer", "The SDP offer cannot be understood.")
        else:
            data = {"sdp": ice.announce_public_address(sdp, self._spec)}
            self._send(Signal(signal.viewer, signal.id, "answer", data))
            return True
        return False

    async def _give_up_unconnected(self, viewer: Viewer) -> None:
        try:
            await viewer.wait_connected()
        except TimeoutError:
            if self._viewers.get(viewer.id) is viewer:
                self._lost(viewer.id, "ice", "no connection to the viewer within 15 s")

    async def _leave(self, viewer_id: str) -> None:
        viewer = self._viewers.pop(viewer_id, None)
        ladder = self._ladders.pop(viewer_id, None)
        if viewer_id not in self._joins:
            self._sources.pop(viewer_id, None)
        try:
            if viewer is not None:
                await viewer.close()
        finally:
            if ladder is not None and ladder.rung == LOW_RENDITION:
                self._core.release_rendition(LOW_RENDITION)

    async def _send_away(self, viewer_id: str) -> None:
        """As `_leave`, to its end even where a newer offer or a bye cuts the caller short."""
        await asyncio.shield(_keep(self._leaving, self._leave(viewer_id)))

    def _lost(self, viewer_id: str, step: str, reason: str) -> None:
        """A connection failed or ended by itself."""
        if step != "closed":
            self._emit("viewer.failed", {"viewer": viewer_id, "step": step, "reason": reason})
        data = {"code": f"{step}_failed" if step != "closed" else "closed", "message": reason}
        self._send(Signal(viewer_id, "", "error", data))
        _keep(self._leaving, self._leave(viewer_id))

    def _make(self, viewer_id: str) -> Viewer:
        main = self._core.spec
        return Viewer(
            viewer_id,
            self._configuration,
            PacketTrack("video", lambda: self._open_video(viewer_id, main.id)),
            PacketTrack("audio", lambda: (self._subscribe(viewer_id, "opus"), b"")),
            self._packetizer,
            bitrate_kbps=main.bitrate_kbps,
            early=self._early,
            on_picture_lost=lambda: self._picture_lost(viewer_id),
            on_closed=self._lost,
        )

    def _early(self, pts: int) -> float:
        """Seconds until a packet of sound is due. Mixed in pairs, sent one by one: a browser that
        got pairs would hold sound back, and the picture with it."""
        due = pts + OPUS_DELAY_SAMPLES
        return (due - self._core.clock.now_samples()) / SAMPLE_RATE_HZ

    # --- rungs ----------------------------------------------------------------------------------

    def _move(self, viewer: Viewer, ladder: Ladder) -> None:
        """To the rung that this viewer's network carries: the main picture, 360p, sound alone."""
        if ladder.below is not None and viewer.health.is_weak:
            if self._show(viewer, ladder.rung, ladder.below):
                ladder.fall()
                self._tell(viewer, ladder.rung, "the network is weak")
        elif ladder.above is not None and ladder.may_climb(self._quiet_seconds(viewer, ladder)):
            if self._show(viewer, ladder.rung, ladder.above):
                ladder.climb()
                self._tell(viewer, ladder.rung, "the network is well again")

    def _quiet_seconds(self, viewer: Viewer, ladder: Ladder) -> float:
        """Of sound alone there are no reports but PLIs for the picture that is not sent."""
        return math.inf if ladder.rung == SOUND_ONLY else viewer.health.quiet_seconds

    def _show(self, viewer: Viewer, before: str, rung: str) -> bool:
        """Send the picture of a rung instead of another's; False if there is none."""
        if rung == LOW_RENDITION:
            try:
                self._core.acquire_rendition(LOW_RENDITION)
            except CoreError as error:
                logger.warning("no low rendition", extra={"reason": str(error)})
                return False
        if rung == SOUND_ONLY:
            viewer.video.pause()
        else:
            viewer.video.switch(lambda: self._open_video(viewer.id, rung))
        viewer.set_bitrate(self._kbps[rung])
        if before == LOW_RENDITION:
            self._core.release_rendition(LOW_RENDITION)
        return True

    def _tell(self, viewer: Viewer, rung: str, reason: str) -> None:
        data = {"state": "live", "rendition": rung, "reason": reason}
        self._send(Signal(viewer.id, "", "state", data))

    def _picture_lost(self, viewer_id: str) -> None:
        ladder = self._ladders.get(viewer_id)
        if ladder is not None and ladder.rung != SOUND_ONLY:
            self._core.hub.request_keyframe(ladder.rung)

    def _open_video(self, viewer_id: str, rendition: str) -> tuple[PacketSource, bytes]:
        source = self._subscribe(viewer_id, f"video:{rendition}")
        return source, self._core.headers(rendition).h264

    def _subscribe(self, viewer_id: str, stream: str) -> Subscription:
        name = f"viewer {viewer_id[:8]} {stream}"
        return self._core.hub.subscribe(name, {stream}, capacity_seconds=VIEWER_SECONDS)

    # --- telling --------------------------------------------------------------------------------

    def _refuse(self, signal: Signal, code: str, message: str, retry: int | None = None) -> None:
        data: Json = {"code": code, "message": message, "retry_after_seconds": retry}
        self._send(Signal(signal.viewer, signal.id, "error", data))


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run it as one of these tasks."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task
