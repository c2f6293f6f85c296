"""The eSpeak NG library by ctypes: PCM blocks with phoneme and word events, stoppable at once.

The library has global state and crashes when two threads use it, so everything here is serialised
by one lock and belongs in a process of its own (which also keeps the GPL code apart).
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.engines.base import EngineError, Samples

_SYNCHRONOUS_OUTPUT: Final = 2
# Phoneme events exist only through espeak_Initialize, not through the espeak_ng_* calls (#1387);
# 0x8000: return an error instead of ending our process when the data is missing.
_INITIALIZE_OPTIONS: Final = 0x0001 | 0x8000
_UTF8_TEXT: Final = 0x1001  # espeakCHARS_UTF8 | espeakENDPAUSE: without the pause the end is cut
_EVENT_WORD: Final = 1
_EVENT_PHONEME: Final = 7
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_LOCK_TIMEOUT_SECONDS: Final = 5.0


class _EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


@dataclass(frozen=True, slots=True)
class LibraryEvent:
    """kind: phoneme | word. sample: from the start of the sound. position: character, from 0."""

    kind: str
    text: str
    sample: int
    position: int


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """name: eSpeak voice with variant. rate: words a minute. pitch, range: 0..99. volume: 0..200"""

    name: str
    rate_wpm: int
    pitch: int
    pitch_range: int
    volume: int


# Gets each block and its events; False stops the synthesis.
BlockSink = Callable[[Samples, list[LibraryEvent]], bool]


class EspeakLibrary:
    """One loaded library. `speak` blocks its thread until the text is spoken or the sink stops."""

    def __init__(self, shared: ctypes.CDLL, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._shared = shared
        self._lock = threading.Lock()
        self._sink: BlockSink | None = None
        shared.espeak_TextToPhonemes.restype = ctypes.c_char_p
        callback_type = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
        )
        self._callback = callback_type(self._on_block)  # kept: the library holds a bare pointer
        shared.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: VoiceSettings, sink: BlockSink) -> None:
        """Speak `text`, handing each block (<= 60 ms) to the sink. Raises EngineError."""
        if not self._lock.acquire(timeout=_LOCK_TIMEOUT_SECONDS):
            raise EngineError("voice_busy", "The built-in voice still speaks another sentence.")
        try:
            self._choose(voice)
            self._sink = sink
            encoded = text.encode()
            size = len(encoded) + 1
            if self._shared.espeak_Synth(encoded, size, 0, 1, 0, _UTF8_TEXT, None, None) != 0:
                raise EngineError("voice_failed", "The built-in voice could not speak this text.")
        finally:
            self._sink = None
            self._lock.release()

    def phonemes(self, text: str, voice_name: str) -> str:
        """The mnemonics eSpeak would speak, with stress and (Mandarin) tone numbers."""
        with self._lock:
            self._choose(VoiceSettings(voice_name, 165, 50, 50, 100))
            buffer = ctypes.create_string_buffer(text.encode())
            pointer = ctypes.c_void_p(ctypes.addressof(buffer))
            clauses = []
            while pointer.value:
                clause = self._shared.espeak_TextToPhonemes(ctypes.byref(pointer), 1, 0)
                clauses.append(clause.decode())
        return " ".join(clauses)

    def _choose(self, voice: VoiceSettings) -> None:
        if self._shared.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise EngineError(
                "voice_unknown", f"eSpeak NG has no voice {voice.name}.", retryable=False
            )
        for parameter, value in (
            (_RATE, voice.rate_wpm),
            (_VOLUME, voice.volume),
            (_PITCH, voice.pitch),
            (_RANGE, voice.pitch_range),
        ):
            self._shared.espeak_SetParameter(parameter, value, 0)

    def _on_block(self, pcm: Any, count: int, events: Any) -> int:
        sink = self._sink
        if sink is None:
            return 1
        block = np.empty(0, np.int16)
        if pcm and count > 0:
            block = np.ctypeslib.as_array(pcm, (count,)).copy()  # the library reuses its buffer
        return 0 if sink(block, list(_read_events(events))) else 1


def _read_events(events: Any) -> list[LibraryEvent]:
    found = []
    index = 0
    while events[index].type != 0:
        event = events[index]
        index += 1
        position = max(0, event.text_position - 1)
        if event.type == _EVENT_WORD:
            found.append(LibraryEvent("word", "", event.sample, position))
        elif event.type == _EVENT_PHONEME:
            mnemonic = bytes(event.id.string).decode("utf-8", "replace")
            found.append(LibraryEvent("phoneme", mnemonic, event.sample, position))
    return found


@functools.cache
def load_library() -> EspeakLibrary:
    """The library of this process, loaded once. Raises EngineError when it is not installed."""
    try:
        import espeakng_loader

        shared = ctypes.CDLL(espeakng_loader.get_library_path())
        data_path = espeakng_loader.get_data_path()
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(
            "voice_library_missing",
            f"The built-in voice is not installed here (package espeakng-loader): {error}",
            retryable=False,
        ) from error
    rate = shared.espeak_Initialize(_SYNCHRONOUS_OUTPUT, 0, data_path.encode(), _INITIALIZE_OPTIONS)
    if rate <= 0:
        raise EngineError(
            "voice_library_missing",
            f"The built-in voice cannot read its data in {data_path}.",
            retryable=False,
        )
    # Else the clock seeds the breath noise of the voices, and what is said would be some samples
    # longer or shorter in each process.
    shared.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return EspeakLibrary(shared, rate)
