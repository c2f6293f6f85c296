"""Voices of Microsoft Edge's read-aloud service: natural, free of keys, unofficial.

The service belongs to the browser and may refuse or change any day: give such a voice a fallback.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import aiohttp
import edge_tts
import numpy as np
from edge_tts import exceptions as edge_errors

from inference.engines.base import EngineError, SpeechChunk, SpeechRequest, Timing
from inference.engines.speech.remote.deadlines import Deadlines, drive
from inference.engines.speech.remote.mp3 import Mp3Decoder
from inference.engines.speech.remote.settings import check_speakable, choice, number, refusal, word
from inference.engines.speech.remote.sound import SilenceTrimmer, check_length, longest_seconds
from inference.text.lexicon import lexicon_of, respell
from inference.text.rewriting import NormalisedText

_VOICES: Final = {
    ("zh-CN", "female"): "zh-CN-XiaoxiaoNeural",
    ("zh-CN", "male"): "zh-CN-YunxiNeural",
    ("en-US", "female"): "en-US-EmmaMultilingualNeural",
    ("en-US", "male"): "en-US-AndrewMultilingualNeural",
}
# emotion -> rate in percent, pitch in Hz. The service has no styles: more than this it cannot act.
_EMOTIONS: Final = {1: (-10, -8), 2: (-5, -4), 3: (0, 0), 4: (6, 6), 5: (12, 12)}
_RATE_HZ: Final = 24_000
_TICKS_PER_SECOND: Final = 10_000_000
# A word may end a little after its sound fades; more missing than this was cut off.
_MISSING_SECONDS: Final = 0.35

_Message = dict[str, Any]


class EdgeEngine:
    """settings: voice, gender, rate 0.5..2, pitch -50..50 Hz, volume -50..50 percent."""

    sample_rate_hz = _RATE_HZ
    timing = "none"
    tagged = False

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self._deadlines = deadlines or Deadlines()

    def synthesize(self, request: SpeechRequest) -> Iterator[SpeechChunk]:
        """Sound and words as they come, without outer silence. Raises EngineError."""
        check_speakable(request)
        spoken = respell(request.text, request.language, lexicon_of(request.settings))
        talk = _talk(request, spoken.text, self._deadlines)
        return self._stream(spoken, talk)

    def visemes(self, timings: list[Timing], language: str) -> list[tuple[float, int, float]]:
        """Nothing: the service tells words only, so lips come from the sound."""
        return []

    def close(self) -> None:
        """Nothing is held between sentences."""

    def _stream(self, spoken: NormalisedText, talk: edge_tts.Communicate) -> Iterator[SpeechChunk]:
        answer = _Answer(spoken)
        messages = drive(_messages(talk), self._deadlines, lambda m: m["type"] == "audio")
        try:
            for message in messages:
                yield answer.take(message)
        except EngineError:
            raise
        except Exception as error:
            raise _explain(error) from error
        finally:
            messages.close()  # type: ignore[attr-defined]  # a generator
        # Only `turn.end` moves the bytes into the sum: without it the connection broke.
        if talk.state["chunk_audio_bytes"]:
            said = "The connection to the Edge voice service broke in the middle of a sentence."
            raise EngineError("voice_cut", said)
        yield answer.finish()


class _Answer:
    """One sentence as it arrives: MP3 and word times become chunks."""

    def __init__(self, spoken: NormalisedText) -> None:
        self._spoken = spoken
        self._text = spoken.text
        self._decoder = Mp3Decoder()
        self._trimmer = SilenceTrimmer(_RATE_HZ, longest_seconds(self._text))
        self._cursor = 0
        self._words: list[Timing] = []
        self._last_word_end = 0.0

    def take(self, message: _Message | None) -> SpeechChunk:
        samples = np.empty(0, np.int16)
        if message is not None and message["type"] == "audio":
            samples = self._trimmer.push(self._heard(self._decoder.push(message["data"])))
        elif message is not None:
            self._take_word(message)
        return SpeechChunk(samples, self._due_words())

    def finish(self) -> SpeechChunk:
        """The rest. Raises EngineError when sound is missing."""
        rest = self._trimmer.push(self._heard(self._decoder.finish()))
        samples = np.concatenate((rest, self._trimmer.finish()))
        seconds = self._trimmer.seconds
        cut = self._trimmer.cut_seconds or 0.0
        if self._last_word_end - cut > seconds + _MISSING_SECONDS:
            message = "The Edge voice service sent less sound than words."
            raise EngineError("voice_cut", message)
        check_length(self._text, seconds)
        return SpeechChunk(samples, self._due_words())

    def _heard(self, samples: np.ndarray[Any, np.dtype[np.int16]]) -> Any:
        if self._decoder.rate_hz not in (0, _RATE_HZ):
            message = f"The Edge voice service sent {self._decoder.rate_hz} Hz, not {_RATE_HZ} Hz."
            raise EngineError("voice_wrong_rate", message)
        return samples

    def _take_word(self, message: _Message) -> None:
        start = message["offset"] / _TICKS_PER_SECOND
        self._last_word_end = start + message["duration"] / _TICKS_PER_SECOND
        position = self._text.find(message["text"], self._cursor)
        if position < 0:
            return  # the service writes some words its own way; their neighbours suffice
        self._cursor = position + len(message["text"])
        source = self._spoken.source_position(position)
        self._words.append(Timing("word", "", start, source))

    def _due_words(self) -> tuple[Timing, ...]:
        """Words wait for the first sound: only then is known how much was cut before it."""
        cut = self._trimmer.cut_seconds
        if cut is None:
            return ()
        due = tuple(
            Timing("word", "", max(0.0, word.at_seconds - cut), word.position)
            for word in self._words
        )
        self._words = []
        return due


def create_engine() -> EdgeEngine:
    """The Edge voices; each sentence opens a connection of its own."""
    return EdgeEngine()


def _talk(request: SpeechRequest, text: str, deadlines: Deadlines) -> edge_tts.Communicate:
    settings = request.settings
    gender = choice(settings, "gender", ("female", "male"))
    default = _VOICES.get((request.language, gender))
    if default is None:
        raise refusal(f"The Edge voices speak zh-CN and en-US here, not {request.language!r}.")
    rate_percent, pitch_hz = _EMOTIONS[request.emotion]
    rate = number(settings, "rate", 1.0, (0.5, 2.0)) * (1 + rate_percent / 100)
    pitch = number(settings, "pitch", 0, (-50, 50)) + pitch_hz
    volume = number(settings, "volume", 0, (-50, 50))
    seconds = max(1, round(deadlines.whole_seconds))
    try:
        return edge_tts.Communicate(
            text,
            word(settings, "voice", default),
            rate=f"{round(rate * 100 - 100):+d}%",
            pitch=f"{round(pitch):+d}Hz",
            volume=f"{round(volume):+d}%",
            boundary="WordBoundary",
            connect_timeout=seconds,
            receive_timeout=seconds,
        )
    except ValueError as error:
        message = "The voice setting voice is a name such as zh-CN-XiaoxiaoNeural."
        raise refusal(message) from error


async def _messages(talk: edge_tts.Communicate) -> AsyncGenerator[_Message, None]:
    async for message in talk.stream():
        yield dict(message)


def _explain(error: Exception) -> EngineError:
    """What a failure of the library means for a host. Raises it again when it is not one."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return _explain_status(error.status)
    for kinds, code, message in _FAILURES:
        if isinstance(error, kinds):
            return EngineError(code, message)
    raise error


def _explain_status(status: int) -> EngineError:
    if status == 403:
        return _REFUSED
    if status == 429:
        return EngineError("voice_busy", "The Edge voice service has had too many requests.")
    message = f"The Edge voice service does not work at the moment (status {status})."
    return EngineError("voice_server_failed", message)


_REFUSED: Final = EngineError(
    "voice_refused",
    "The Edge voice service refuses this machine (403). It is unofficial: it may have changed, or "
    "the clock of this machine is wrong. A newer edge-tts may help; use another voice meanwhile.",
)
_CHANGED: Final = "The Edge voice service answers in an unknown way; edge-tts may be too old."
_BROKEN: Final = "The connection to the Edge voice service broke."
_UNREACHABLE: Final = (
    "The Edge voice service cannot be reached. Has this machine a way to the internet?"
)
_FAILURES: Final[tuple[tuple[tuple[type[Exception], ...], str, str], ...]] = (
    ((edge_errors.SkewAdjustmentError,), _REFUSED.code, _REFUSED.message),
    (
        (edge_errors.NoAudioReceived,),
        "voice_silent",
        "The Edge voice service gave no sound: it may not know this voice or speak this text.",
    ),
    ((edge_errors.WebSocketError,), "voice_connection_lost", _BROKEN),
    ((edge_errors.EdgeTTSException, ValueError, KeyError), "voice_protocol_changed", _CHANGED),
    ((aiohttp.ClientConnectorError,), "voice_unreachable", _UNREACHABLE),
    ((aiohttp.ClientError, OSError), "voice_connection_lost", _BROKEN),
)
