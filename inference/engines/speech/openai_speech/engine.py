"""Voices of any server with OpenAI's speech interface: OpenAI, Kokoro, CosyVoice and F5 wrappers.

Settings: base_url, api_key, model, voice, response_format, sample_rate_hz (for raw pcm), speed,
instructions, stream_format; egress_allow comes from the site, never from a host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import aiohttp
import numpy as np

from inference.engines.base import EngineError, Json, Samples, SpeechChunk, SpeechRequest, Timing
from inference.engines.speech.openai_speech.client import Call, Sound, request_speech
from inference.engines.speech.openai_speech.sound import RATES_HZ, SoundDecoder, create_decoder
from inference.engines.speech.remote.deadlines import Deadlines, drive
from inference.engines.speech.remote.settings import check_speakable, choice, number, refusal, word
from inference.engines.speech.remote.sound import SilenceTrimmer, check_length, longest_seconds
from inference.media.resample import OUTPUT_RATE_HZ, Resampler
from inference.text.lexicon import lexicon_of, respell

_SPEED_LIMITS: Final = (0.25, 4.0)
# emotion -> factor of the speed, and what a server that takes instructions is told.
_EMOTIONS: Final = {
    1: (0.92, "Speak calmly and flatly."),
    2: (0.96, "Speak calmly."),
    3: (1.0, ""),
    4: (1.04, "Speak with warmth and energy."),
    5: (1.08, "Speak with great excitement."),
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """call: what is asked. speed: as asked, for judging the length."""

    call: Call
    response_format: str
    sample_rate_hz: int
    speed: float


class OpenAISpeechEngine:
    """Gives 48 kHz whatever the server's rate is, without outer silence."""

    sample_rate_hz = OUTPUT_RATE_HZ
    timing = "none"
    tagged = False

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self._deadlines = deadlines or Deadlines()

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]:
        """Sound as it comes. Raises EngineError."""
        check_speakable(request)
        return self._stream(request, _plan(request))

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]:
        """Nothing: the server tells no times, so lips come from the sound."""
        return []

    def close(self) -> None:
        """Nothing is held between sentences."""

    def _stream(self, request: SpeechRequest, plan: _Plan) -> Iterator[SpeechChunk]:
        shaper = _Shaper(plan, longest_seconds(request.text, plan.speed))
        answer = drive(request_speech(plan.call), self._deadlines, lambda _: True)
        try:
            for sound in answer:
                yield SpeechChunk(shaper.push(sound), tokens=sound.tokens if sound else 0)
            rest = shaper.finish()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _explain(error) from error
        finally:
            answer.close()  # type: ignore[attr-defined]  # a generator
        check_length(request.text, shaper.seconds, plan.speed)
        yield SpeechChunk(rest)


class _Shaper:
    """Bytes -> samples at 48 kHz without outer silence."""

    def __init__(self, plan: _Plan, most_seconds: float) -> None:
        self._plan = plan
        self._decoder: SoundDecoder = create_decoder(plan.response_format, plan.sample_rate_hz)
        self._resampler: Resampler | None = None
        self._trimmer = SilenceTrimmer(OUTPUT_RATE_HZ, most_seconds)
        self._has_bytes = False

    @property
    def seconds(self) -> float:
        return self._trimmer.seconds

    def push(self, sound: Sound | None) -> Samples:
        if sound is None or not sound.data:
            return np.empty(0, np.int16)
        self._has_bytes = True
        self._check_told_rate(sound.told_rate_hz)
        return self._trimmer.push(self._resampled(self._decoder.push(sound.data)))

    def finish(self) -> Samples:
        """The rest. Raises EngineError when it was silent or cut."""
        if not self._has_bytes:
            raise EngineError("voice_silent", "The voice server answered without any sound.")
        last = self._resampled(self._decoder.finish())
        if self._resampler is not None:
            last = np.concatenate((last, self._resampler.finish()))
        body = self._trimmer.push(last)
        return np.concatenate((body, self._trimmer.finish()))

    def _resampled(self, samples: Samples) -> Samples:
        if self._resampler is None:
            if not self._decoder.rate_hz:
                return samples
            self._resampler = Resampler(self._decoder.rate_hz)
        return self._resampler.push(samples)

    def _check_told_rate(self, told_rate_hz: int) -> None:
        """Raw PCM carries no rate: where the server names one, the setting must agree."""
        wanted = self._plan.sample_rate_hz
        if self._plan.response_format == "pcm" and told_rate_hz not in (0, wanted):
            message = (
                f"The voice server sends {told_rate_hz} Hz and the setting sample_rate_hz says "
                f"{wanted}: the voice would sound too high or too low."
            )
            raise EngineError("voice_wrong_rate", message)


def create_engine() -> OpenAISpeechEngine:
    """Voices of compatible servers; each sentence opens a connection of its own."""
    return OpenAISpeechEngine()


def _plan(request: SpeechRequest) -> _Plan:
    settings = request.settings
    base_url = word(settings, "base_url", "")
    if not base_url:
        raise refusal("This voice needs the setting base_url, such as https://api.openai.com/v1.")
    response_format = choice(settings, "response_format", ("wav", "pcm", "mp3"))
    factor, manner = _EMOTIONS[request.emotion]
    low, high = _SPEED_LIMITS
    speed = min(high, max(low, number(settings, "speed", 1.0, _SPEED_LIMITS) * factor))
    allow = tuple(str(entry) for entry in settings.get("egress_allow", ()))
    body = _body(request, response_format, speed, manner)
    return _Plan(
        Call(base_url, word(settings, "api_key", ""), body, allow),
        response_format,
        int(number(settings, "sample_rate_hz", 24_000, RATES_HZ)),
        speed,
    )


def _body(request: SpeechRequest, response_format: str, speed: float, manner: str) -> Json:
    settings = request.settings
    spoken = respell(request.text, request.language, lexicon_of(settings))
    body: Json = {
        "input": spoken.text,
        "voice": word(settings, "voice", "alloy"),
        "response_format": response_format,
        "stream_format": choice(settings, "stream_format", ("audio", "sse")),
    }
    if model := word(settings, "model", ""):
        body["model"] = model
    if abs(speed - 1) > 1e-6:
        body["speed"] = round(speed, 3)
    # Only where the host gave some: older models refuse the field.
    if instructions := word(settings, "instructions", ""):
        body["instructions"] = f"{instructions} {manner}".strip()
    if body["stream_format"] == "audio":
        del body["stream_format"]  # the default, and unknown to many servers
    return body


def _explain(error: Exception) -> EngineError:
    if isinstance(error, aiohttp.ClientConnectorError):
        message = "The voice server cannot be reached. Is it running, and is its URL right?"
        return EngineError("voice_unreachable", message)
    if isinstance(error, aiohttp.ClientPayloadError):
        message = "The voice server broke off in the middle of a sentence."
        return EngineError("voice_cut", message)
    return EngineError("voice_connection_lost", "The connection to the voice server broke.")
