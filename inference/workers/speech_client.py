"""The core's view of the speech worker: ask for a sentence, get its sound, keep the next ones.

The cache is keyed by what is heard (text, emotion, the voices' readings ...), never by generation,
so it survives interrupts. A sentence is made whole before it is used: a worker's death or a failing
voice costs a retry, never a lost or doubled sentence.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from inference.catalog import get_engine
from inference.protocol import VoiceSpec
from inference.text.lexicon import lexicon_of, lexicon_version
from inference.workers.supervisor import WorkerProcess
from inference.workers.wire import Json

Samples = np.ndarray[Any, np.dtype[np.int16]]
Priority = Literal["say", "answer", "prefetch"]

CACHE_SAMPLES: Final = 180 * 48_000  # three minutes of sound, 17 MB
CACHE_SPEECHES: Final = 512  # also of those that no voice could say
# The slowest voice's own deadline is below it; a voice that hangs is found out by its worker.
SILENCE_SECONDS: Final = 20.0
MAX_ATTEMPTS: Final = 3
# A voice that let us wait is left alone for so long: each sentence would wait for it anew.
REST_SECONDS: Final = 30.0
HANGS: Final = "voice_hangs"
_MADE_US_WAIT: Final = frozenset({"voice_slow", HANGS})
_NO_SAMPLES: Final = np.empty(0, np.int16)


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is to be heard. directives: (offset in text, name). number, generation: test voices."""

    text: str
    language: str
    emotion: int
    directives: tuple[tuple[int, str], ...] = ()
    number: int = 0
    generation: int = 0


@dataclass(slots=True)
class Speech:
    """A sentence being made. `done` is set when it is whole or has failed on every voice.

    visemes: (seconds, viseme index, weight); words: (seconds, offset); marks: (seconds, name).
    """

    sentence: Sentence
    done: asyncio.Event = field(default_factory=asyncio.Event)
    samples: Samples = field(default_factory=lambda: _NO_SAMPLES)
    visemes: tuple[tuple[float, int, float], ...] = ()
    words: tuple[tuple[float, int], ...] = ()
    marks: tuple[tuple[float, str], ...] = ()
    error: str = ""
    is_retryable: bool = True
    voice: str = ""

    @property
    def is_ready(self) -> bool:
        return self.done.is_set() and not self.error

    def loudness(self) -> tuple[float, ...]:
        """RMS of each 20 ms, 0..1 of full scale."""
        whole = self.samples[: len(self.samples) // 960 * 960].reshape(-1, 960)
        means = np.sqrt(np.mean(whole.astype(np.float32) ** 2, axis=1)) / 32768
        return tuple(round(float(value), 4) for value in means)


@dataclass(slots=True)
class _Request:
    id: int
    key: str
    speech: Speech
    priority: Priority
    voice: int = 0
    attempts: int = 0
    is_retryable: bool = False
    has_begun: bool = False
    chunks: list[bytes] = field(default_factory=list)


class SpeechClient:
    """Asks the worker for sentences over an ordered chain of voices.

    on_made(voice, text, tokens): a sentence was made whole, and a language model spent so many
    tokens on it; the cache does not call it.
    """

    def __init__(
        self,
        voices: tuple[VoiceSpec, ...],
        *,
        on_ready: Callable[[Speech], None],
        on_state: Callable[[str, int, str], None],
        on_voice_failed: Callable[[VoiceSpec, str], None],
        on_made: Callable[[VoiceSpec, str, int], None] = lambda voice, text, tokens: None,
        test_engines: bool = False,
    ) -> None:
        self._voices = voices
        self._on_ready = on_ready
        self._on_voice_failed = on_voice_failed
        self._on_made = on_made
        self._is_tagged = get_engine("speech", voices[0].engine).tagged
        self._lexicon_version = lexicon_version(lexicon_of(voice.settings) for voice in voices)
        self._cache: OrderedDict[str, Speech] = OrderedDict()
        self._requests: dict[int, _Request] = {}
        self._ids = itertools.count(1)
        self._watchdog: asyncio.TimerHandle | None = None
        self._resting: dict[int, float] = {}  # voice -> until when, on the loop's clock
        self._is_fault_known = False
        self.worker = WorkerProcess(
            "speech",
            "inference.workers.speech",
            on_message=self._receive,
            on_started=self._resend,
            on_state=on_state,
            environment={"TEST_ENGINES": "1"} if test_engines else {},
            answers_pings=True,
        )

    @property
    def is_tagged(self) -> bool:
        """Whether the sound depends on number and generation (test voices)."""
        return self._is_tagged

    def get(self, sentence: Sentence, priority: Priority) -> Speech:
        """The speech of a sentence, from the cache or being made from now on."""
        key = self._key(sentence)
        speech = self._cache.get(key)
        if speech is not None:
            if speech.error and speech.is_retryable:
                del self._cache[key]  # told once; asked again it is tried again
            if speech.error:
                return speech
            self._cache.move_to_end(key)
            self._raise_priority(speech, priority)
            return speech
        speech = self._cache[key] = Speech(sentence)
        request = _Request(next(self._ids), key, speech, priority, self._awake(0))
        self._requests[request.id] = request
        self._send(request)
        self._trim()
        return speech

    async def close(self) -> None:
        self._requests.clear()
        self._watch()
        await self.worker.close()

    def _key(self, sentence: Sentence) -> str:
        tag = (sentence.number, sentence.generation) if self._is_tagged else ()
        what = (sentence.text, sentence.language, sentence.emotion, sentence.directives)
        return json.dumps((*what, self._lexicon_version, tag), ensure_ascii=False)

    def _raise_priority(self, speech: Speech, priority: Priority) -> None:
        if priority == "prefetch" or speech.done.is_set():
            return
        for request in self._requests.values():
            if request.speech is speech and request.priority == "prefetch":
                request.priority = priority
                self.worker.send({"type": "cancel", "request": request.id})
                self._restart(request)
                return

    def _restart(self, request: _Request) -> None:
        """The same request under a new id, so that late messages of the old one are ignored."""
        self._requests.pop(request.id, None)
        request.id = next(self._ids)
        request.chunks, request.has_begun = [], False
        self._requests[request.id] = request
        self._send(request)

    def _send(self, request: _Request) -> None:
        voice = self._voices[request.voice]
        sentence = request.speech.sentence
        self.worker.send(
            {
                "type": "synthesize",
                "request": request.id,
                "text": sentence.text,
                "voice": {
                    "engine": voice.engine,
                    "language": sentence.language,
                    "settings": voice.settings,
                },
                "emotion": sentence.emotion,
                "directives": sentence.directives,
                "number": sentence.number,
                "generation": sentence.generation,
                "priority": request.priority,
            }
        )
        self._watch()

    def _watch(self) -> None:
        """A voice that says nothing for so long hangs in a worker that lives and answers pings."""
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._watchdog = None
        if self._requests:
            loop = asyncio.get_running_loop()
            self._watchdog = loop.call_later(SILENCE_SECONDS, self._hangs)

    def _hangs(self) -> None:
        self.worker.kill("it owes a sentence and says nothing")
        self._watch()

    def _resend(self) -> None:
        """A new worker: everything not yet whole is asked for again.

        Only the sentence that was being made is blamed for the old one's death.
        """
        requests = list(self._requests.items())
        begun = [request for _, request in requests if request.has_begun]
        blamed = begun or [request for _, request in requests]
        if self._is_fault_known:
            blamed = []
        self._is_fault_known = False
        for old_id, request in requests:
            if request.id == old_id:  # else it went to the next voice with another one
                self._ask_again(request, is_blamed=request in blamed)

    def _ask_again(self, request: _Request, *, is_blamed: bool) -> None:
        request.attempts += is_blamed
        if request.has_begun and self.worker.has_hung and self._has_spare(request):
            self._fail(request, "the voice stood still", code=HANGS)
        elif request.attempts > MAX_ATTEMPTS:
            self._fail(request, "the voice process died over it again and again")
        else:
            self._restart(request)

    def _receive(self, header: Json, payload: bytes) -> None:
        if header.get("code") == HANGS:
            self._is_fault_known = True  # its worker ends now, by itself
        request = self._requests.get(int(header.get("request", 0)))
        if request is None:
            return
        self._watch()
        kind = header["type"]
        if kind == "begun":
            request.has_begun = True
        elif kind == "chunk":
            request.chunks.append(payload)
        elif kind == "track":
            self._take_track(request.speech, header)
        elif kind == "done":
            self._finish(request, int(header.get("tokens", 0)))
        elif kind == "failed":
            message = str(header.get("message", "the voice failed"))
            is_retryable = bool(header.get("retryable", True))
            self._fail(request, message, code=str(header.get("code")), is_retryable=is_retryable)

    def _take_track(self, speech: Speech, header: Json) -> None:
        speech.visemes = tuple((float(s), int(i), float(w)) for s, i, w in header["visemes"])
        speech.words = tuple((float(s), int(p)) for s, p in header.get("words", ()))
        speech.marks = tuple((float(s), str(n)) for s, n in header.get("marks", ()))

    def _finish(self, request: _Request, tokens: int) -> None:
        speech = request.speech
        speech.samples = np.frombuffer(b"".join(request.chunks), np.int16)
        speech.voice = self._voices[request.voice].id
        if len(speech.samples) == 0:
            self._fail(request, "the voice was silent")
            return
        self._on_made(self._voices[request.voice], speech.sentence.text, tokens)
        self._settle(request)

    def _fail(
        self, request: _Request, message: str, *, code: str = "", is_retryable: bool = True
    ) -> None:
        voice = request.voice
        self._on_voice_failed(self._voices[voice], message)
        request.speech.is_retryable = request.is_retryable = request.is_retryable or is_retryable
        if not self._has_spare(request):
            request.speech.error = message
            self._settle(request)
            return
        self._pass_on(request)
        if code in _MADE_US_WAIT:
            self._let_rest(voice)

    def _has_spare(self, request: _Request) -> bool:
        return request.voice + 1 < len(self._voices)

    def _pass_on(self, request: _Request) -> None:
        """To the next voice of the chain."""
        request.voice = self._awake(request.voice + 1)
        request.attempts = 0
        self._restart(request)

    def _let_rest(self, voice: int) -> None:
        """Leave a voice alone for a while; what waits for it goes to the next one now."""
        self._resting[voice] = asyncio.get_running_loop().time() + REST_SECONDS
        for request in list(self._requests.values()):
            if request.voice == voice:
                self.worker.send({"type": "cancel", "request": request.id})
                self._pass_on(request)

    def _awake(self, voice: int) -> int:
        """The first voice of the chain from `voice` on that does not rest; else the last."""
        now = asyncio.get_running_loop().time() if self._resting else 0.0
        last = len(self._voices) - 1
        return next((n for n in range(voice, last) if self._resting.get(n, 0.0) <= now), last)

    def _settle(self, request: _Request) -> None:
        self._requests.pop(request.id, None)
        self._watch()
        request.speech.done.set()
        self._on_ready(request.speech)

    def _trim(self) -> None:
        total = sum(len(speech.samples) for speech in self._cache.values())
        for key in list(self._cache):
            if total <= CACHE_SAMPLES and len(self._cache) <= CACHE_SPEECHES:
                return
            if self._cache[key].done.is_set():
                total -= len(self._cache.pop(key).samples)
