"""One presenter on air: sound in, pictures out, each picture a function of its moment alone.

The sound of a frame is heard from 30 s before it to 120 ms behind it. What is told late (a
sentence, a cut) makes the frames that it touches anew; the worker asks for them again.

Only where another process paints can a face be late: then the last one is held, and within 110 ms
the mouth goes back to the film's own, until faces come again.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from inference.engines.base import Picture, Samples
from inference.engines.face.musetalk.bundle import Film, Manifest, Pixels
from inference.engines.face.musetalk.cycle import Cycle
from inference.engines.face.musetalk.gate import mouth_share
from inference.engines.face.musetalk.lateness import Lateness
from inference.engines.face.musetalk.paste import paste_face
from inference.engines.face.musetalk.renderer import FacePromise, Renderer
from inference.engines.face.musetalk.soundtrack import CLOCK_PER_SAMPLE, SoundTrack
from inference.engines.face.musetalk.spans import (
    LOOK_AHEAD_TOKENS,
    STEP_FRAMES,
    HeardSpan,
    heard_span,
)
from inference.media.picture import planes

# Painted faces that are kept: what the worker may ask for again, and a batch ahead of it.
_KEPT_FACES: Final = 24
_KEPT_STEPS: Final = 16
# Pictures are asked for in order, and again for as long as the ring holds them.
_KEPT_SAMPLES: Final = 10 * 48_000


class TalkingSession:
    """Draws one film with one renderer at one frame duration (48 kHz samples)."""

    def __init__(
        self,
        manifest: Manifest,
        film: Film,
        renderer: Renderer,
        frame_samples: int,
        look_ahead_tokens: int = LOOK_AHEAD_TOKENS,
    ) -> None:
        """look_ahead_tokens: of 20 ms, what the renderer hears behind its own window."""
        self._look_ahead_tokens = look_ahead_tokens
        self.track = SoundTrack()
        self.cycle = Cycle(manifest)
        self._film = film
        self._renderer = renderer
        self._frame_samples = frame_samples
        self._features: dict[int, Any] = {}
        self._faces: dict[tuple[int, int], Pixels | FacePromise] = {}
        self._lateness = Lateness(frame_samples)
        self._other = np.empty_like(film.frames[0])
        self.painted = 0

    def place(
        self, utterance: str, generation: int, start_sample: int, known_sample: int | None = None
    ) -> None:
        """An utterance begins at a sample of the media clock (48 kHz).

        known_sample: pictures before it have been shown.
        """
        self._changed(self.track.place(utterance, generation, start_sample, known_sample))
        if known_sample is not None:
            self.cycle.forget_before(min(start_sample, known_sample) - _KEPT_SAMPLES)

    def hear(self, utterance: str, samples: Samples) -> None:
        """More of its sound, (n,) int16 mono at 48 kHz, in pieces of 20 ms or whole."""
        self._changed(self.track.append(utterance, samples))

    def cut(self, at_sample: int, generation: int) -> None:
        """Nothing of an older generation is heard from a sample (48 kHz) on."""
        self._changed(self.track.cut(at_sample, generation))
        self.cycle.drop_from(at_sample)

    def drop(self, utterance: str, from_sample: int) -> None:
        """What was taken back before it began."""
        changed = self.track.drop(utterance)
        if changed is not None:
            self._changed(changed)
        self.cycle.drop_from(from_sample)

    def render(self, pts_samples: int, generation: int, out: Picture) -> None:
        """Draw the picture due at `pts_samples` of a generation into out, I420.

        Until the cut to a new generation is told, no mouth is drawn: it would be an old one.
        """
        frame = pts_samples // self._frame_samples
        shown = self.cycle.at(pts_samples)
        self._draw(frame, shown.index, generation, out)
        if shown.before is None:
            return
        self._draw(frame, shown.before, generation, self._other)
        cv2.addWeighted(self._other, 1 - shown.share, out, shown.share, 0, dst=out)

    def share(self, frame: int) -> float:
        """How much of the painted mouth is shown in the middle of a frame."""
        middle = frame * self._frame_samples + self._frame_samples // 2
        return mouth_share(self.track, middle // CLOCK_PER_SAMPLE)

    @property
    def late_frames(self) -> int:
        """Pictures whose face was not there in time."""
        return self._lateness.frames

    def close(self) -> None:
        self._faces.clear()
        self._features.clear()
        self._renderer.close()

    def _draw(self, frame: int, index: int, generation: int, out: Picture) -> None:
        np.copyto(out, self._film.frames[index])
        share = self.share(frame)
        if share > 0 and generation <= self.track.generation:
            face, trust = self._lateness.judge(frame, self._face(frame, index))
            if face is not None:
                paste_face(self._film, index, face, planes(out), share * trust)

    def _face(self, frame: int, index: int) -> Pixels | None:
        """The painted face of a film frame at a moment, None when it is late."""
        at = (frame, index)
        if at not in self._faces:
            self._paint([at, *self._ahead(frame)])
        face = self._faces[at]
        if isinstance(face, FacePromise):
            # Others paint meanwhile: what comes next is asked for before it is needed.
            self._paint(self._ahead(frame))
            made = face.wait()
            if made is None:
                del self._faces[at]
                return None
            face = self._faces[at] = made
        return face

    def _paint(self, wanted: list[tuple[int, int]]) -> None:
        if not wanted:
            return
        features = [self._feature(number) for number, _ in wanted]
        faces = self._renderer.paint([film for _, film in wanted], features)
        self.painted += len(wanted)
        self._faces |= dict(zip(wanted, faces, strict=True))
        _keep_newest(self._faces, _KEPT_FACES)

    def _ahead(self, frame: int) -> list[tuple[int, int]]:
        """Speaking frames behind this one whose faces can be painted along with it."""
        found = []
        for number in range(frame + 1, frame + self._renderer.batch_frames):
            index = self.cycle.at(number * self._frame_samples).index
            if (number, index) not in self._faces and self.share(number) > 0:
                found.append((number, index))
        return found

    def _feature(self, frame: int) -> Any:
        step = frame // STEP_FRAMES
        made = self._features.get(step)
        if made is None:
            span = self._span(step)
            sound = self.track.read(span.first, span.last)
            made = self._renderer.features(sound, span.first_token, span.frames)
            self._features[step] = made
            _keep_newest(self._features, _KEPT_STEPS)
        return made[frame - step * STEP_FRAMES]

    def _span(self, step: int) -> HeardSpan:
        return heard_span(step, self._frame_samples, self._look_ahead_tokens)

    def _changed(self, sample: int) -> None:
        """Forget what was made of sound from a sample (16 kHz) on."""
        is_old = [step for step in self._features if self._span(step).last > sample]
        for step in is_old:
            del self._features[step]
        for frame, index in list(self._faces):
            if self._span(frame // STEP_FRAMES).last > sample:
                face = self._faces.pop((frame, index))
                if isinstance(face, FacePromise):
                    face.withdraw()


def _keep_newest(made: dict[Any, Any], limit: int) -> None:
    for key in list(made)[: max(0, len(made) - limit)]:
        del made[key]
