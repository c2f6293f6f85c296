"""Lets face, captions and viewers' pages follow the speech that is on the clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal

from inference.catalog import EXPRESSIONS, GESTURES
from inference.engines.base import FaceSpeech
from inference.media.captions import paginate_caption, render_caption
from inference.media.fonts import FontMissingError
from inference.protocol import CueSpec, Json, OverlaySpec, RenditionSpec
from inference.runner.cards import CardBoard
from inference.runner.core import MediaCore
from inference.runner.drawing import draw
from inference.runner.lines import SAMPLES_PER_MS, Line, Piece
from inference.runner.mixer import Interruption
from inference.runner.overlays import Backdrop
from inference.workers.face_client import FaceClient

logger = logging.getLogger(__name__)

# Drawn shortly before it is due: a long line has more captions than the overlay layer keeps.
CAPTION_AHEAD_SAMPLES: Final = 3 * 48_000


class Director:
    """The `Stage` of a broadcast. publish(kind, data): to viewers' pages, nobody stores it.

    tell(reason): something that should be in the picture is not shown.
    """

    def __init__(
        self,
        core: MediaCore,
        face: FaceClient,
        overlays: OverlaySpec,
        rendition: RenditionSpec,
        publish: Callable[[Literal["caption", "viseme"], Json], None],
        tell: Callable[[str], None],
    ) -> None:
        self._core = core
        self._face = face
        self._overlays = overlays
        self._rendition = rendition
        self._publish = publish
        self._following: dict[asyncio.Task[None], Piece] = {}
        self._caption_bottom_px: int | None = None
        self._backdrop = Backdrop(overlays, rendition, core.overlays, self._position, tell)
        self._cards = CardBoard(core.overlays, rendition, self._position, tell)

    async def show_overlays(self) -> None:
        """What stands in the picture from now on; captions and cards find their places."""
        layout = await self._backdrop.show()
        self._caption_bottom_px = layout.caption_bottom_px
        self._cards.set_layout(layout)

    def line_placed(self, line: Line, start_sample: int) -> None:
        """Expression and gesture of a line begin with its sound."""
        if line.expression:
            self._face.set_expression(line.expression, line.emotion, start_sample)
        if line.gesture and line.gesture != "none":
            self._face.play_gesture(line.gesture, start_sample)
        if line.item is not None and line.item.cue is not None:
            self._cards.prepare(line.item.cue)
        if line.item is not None and line.item.clip:
            self._face.play_clip(line.item.clip, start_sample)
        if line.is_silence and line.item is not None:
            for _, name in line.item.sentence.directives:
                self._direct(name, line.emotion, start_sample)

    def piece_placed(self, piece: Piece) -> None:
        """A sentence is on the clock: lips, caption, viewers' pages."""
        speech = piece.speech
        self._face.speak(
            FaceSpeech(
                utterance=f"{piece.line.utterance}#{piece.index}",
                generation=piece.generation,
                start_sample=piece.start_sample,
                duration_samples=len(speech.samples),
                visemes=speech.visemes,
                loudness=speech.loudness(),
                emotion=piece.line.emotion,
                marks=speech.marks,
                samples=speech.samples,
            )
        )
        self._follow(piece, self._tell_viewers(piece))
        if self._overlays.captions:
            self._follow(piece, self._caption(piece))

    def revoked(self, line: Line, start_sample: int) -> None:
        """A line was taken back before its start: neither lips nor caption of it may show."""
        self._face.drop(line.utterance, start_sample)
        self._stop_following(lambda piece: piece.line is line)
        self._core.drop_captions(line.utterance)

    def cut(self, interruption: Interruption) -> None:
        """Nothing that was placed before is shown any more; captions end by their generation."""
        self._face.cut(interruption.at_sample, interruption.generation)
        self._stop_following(lambda piece: piece.generation < interruption.generation)
        if interruption.utterance is not None:
            at_ms = interruption.at_sample // SAMPLES_PER_MS
            times = {"start_ms": at_ms, "end_ms": at_ms}
            # Empty: what viewers' pages show of this line goes now.
            self._publish("caption", {"utterance": interruption.utterance, "text": "", **times})

    def cue_heard(self, cue: CueSpec, sample: int) -> None:
        """Its card comes with its first sound, not when it was planned."""
        self._cards.heard(cue, sample)

    def cue_left(self) -> None:
        """Its card goes."""
        self._cards.left()

    def set_expression(self, name: str) -> None:
        """At once, by the operator."""
        self._face.set_expression(name, 3, self._core.mixer.position)

    def play_gesture(self, name: str) -> None:
        """At once, by the operator."""
        self._face.play_gesture(name, self._core.mixer.position)

    def play_clip(self, name: str) -> None:
        """At once, by the operator."""
        self._face.play_clip(name, self._core.mixer.position)

    def close(self) -> None:
        self._stop_following(lambda piece: True)
        self._backdrop.close()
        self._cards.close()

    def _follow(self, piece: Piece, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._following[task] = piece
        task.add_done_callback(lambda done: self._following.pop(done, None))

    def _stop_following(self, ends: Callable[[Piece], bool]) -> None:
        for task, piece in list(self._following.items()):
            if ends(piece):
                task.cancel()

    async def _wait_for(self, sample: int) -> None:
        await asyncio.sleep(max(0.0, (sample - self._core.mixer.position) / 48_000))

    def _position(self) -> int:
        return self._core.mixer.position

    @property
    def _size(self) -> tuple[int, int]:
        return self._rendition.width_px, self._rendition.height_px

    def _direct(self, name: str, emotion: int, at_sample: int) -> None:
        if name in EXPRESSIONS:
            self._face.set_expression(name, emotion, at_sample)
        elif name in GESTURES:
            self._face.play_gesture(name, at_sample)

    async def _tell_viewers(self, piece: Piece) -> None:
        start_ms = piece.start_sample // SAMPLES_PER_MS
        end_ms = start_ms + len(piece.speech.samples) // SAMPLES_PER_MS
        utterance = piece.line.utterance
        items = [[round(s * 1000), index, weight] for s, index, weight in piece.speech.visemes]
        await self._wait_for(piece.start_sample)
        times = {"start_ms": start_ms, "end_ms": end_ms}
        self._publish("caption", {"utterance": utterance, "text": piece.text, **times})
        self._publish("viseme", {"utterance": utterance, "start_ms": start_ms, "items": items})

    async def _caption(self, piece: Piece) -> None:
        """A show without a font goes on without text, and its log says so."""
        try:
            await self._draw_captions(piece)
        except (FontMissingError, ValueError) as error:
            logger.warning("text is not shown", extra={"reason": str(error)})

    async def _draw_captions(self, piece: Piece) -> None:
        await self._wait_for(piece.start_sample - CAPTION_AHEAD_SAMPLES)
        pages = await draw(paginate_caption, piece.text, *self._size)
        letters = max(1, sum(len(page) for page in pages))
        at = piece.start_sample
        for page in pages:
            until = at + len(piece.speech.samples) * len(page) // letters
            bottom = self._caption_bottom_px
            patch = await draw(render_caption, page, *self._size, bottom_px=bottom)
            if patch is not None:
                owner = piece.line.utterance
                self._core.add_caption(patch, at, until, piece.generation, owner)
            at = until
