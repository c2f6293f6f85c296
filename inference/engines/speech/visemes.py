"""eSpeak phoneme mnemonics -> viseme tracks of the 15 Oculus shapes.

Source: the mapping measured on eSpeak NG 1.52 in both languages; closure lengths after Rhubarb.
Blending, the lead of the lips and the shapes themselves are the face engine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inference.engines.base import VISEMES, Timing

# (viseme, share of the phoneme's duration)
Parts = tuple[tuple[str, float], ...]
VisemeTrack = list[tuple[float, int, float]]

_HELD_PAUSE_SECONDS: Final = 0.120  # shorter pauses keep the last shape
_SHORT_VOWEL_SECONDS: Final = 0.070
_SHORT_VOWEL_WEIGHT: Final = 0.75
# A closure must be seen on at least one frame at 25 fps, wherever the frames fall.
_CLOSURE_SECONDS: Final = 0.060
# The last phoneme known so far has no end yet.
_OPEN_END_SECONDS: Final = 0.100
_VOWEL_SHAPES: Final = frozenset(("aa", "E", "I", "O", "U"))
_CLOSURE: Final = "PP"


def _whole(names: str, viseme: str) -> dict[str, Parts]:
    return dict.fromkeys(names.split(), ((viseme, 1.0),))


def _split(names: str, *parts: tuple[str, float]) -> dict[str, Parts]:
    return dict.fromkeys(names.split(), parts)


_SHARED: Final = (
    _whole("p b m", "PP")
    | _whole("f v", "FF")
    | _whole("T D", "TH")
    | _whole("w", "U")
    | _whole("j ;", "I")
)

_ENGLISH: Final = (
    _SHARED
    | _whole("t d t# t2", "DD")
    | _whole("n l n- N- l#", "nn")
    | _whole("N k g x", "kk")
    | _whole("s z", "SS")
    | _whole("S Z tS dZ", "CH")
    | _whole("r r- 3: R", "RR")
    | _whole("A A: a a# aa V 0 A~", "aa")
    | _whole("E e @ @- @2 E2 3", "E")
    | _whole("I i i: I# I2", "I")
    | _whole("O o O: O2 O~", "O")
    | _whole("u u: U", "U")
    | _split("@L", ("E", 0.4), ("nn", 0.6))
    | _split("aI", ("aa", 0.6), ("I", 0.4))
    | _split("aU", ("aa", 0.6), ("U", 0.4))
    | _split("eI", ("E", 0.6), ("I", 0.4))
    | _split("oU", ("O", 0.6), ("U", 0.4))
    | _split("OI", ("O", 0.6), ("I", 0.4))
    | _split("A@", ("aa", 0.6), ("E", 0.4))
    | _split("e@", ("E", 1.0))
    | _split("i@ i@3", ("I", 0.6), ("E", 0.4))
    | _split("o@ O@", ("O", 0.6), ("E", 0.4))
    | _split("U@", ("U", 0.6), ("E", 0.4))
    | _split("aI3 aI@", ("aa", 0.45), ("I", 0.25), ("E", 0.3))
    | _split("aU@ aU3", ("aa", 0.45), ("U", 0.25), ("E", 0.3))
)

_MANDARIN: Final = (
    _SHARED
    | _whole("ph", "PP")
    | _whole("t th", "DD")
    | _whole("n l", "nn")
    | _whole("k kh X N N-", "kk")
    | _whole("S; tS; tS;h s ts tsh", "SS")
    | _whole("s. z. ts. ts.h", "CH")
    | _whole("A a", "aa")
    | _whole("o- @", "E")
    | _whole("o", "O")
    | _whole("i yi", "I")
    | _whole("i[", "SS")
    | _split("i.", ("E", 0.2), ("I", 0.8))
    | _whole("u y", "U")
    | _split("ong", ("O", 0.7), ("kk", 0.3))
    | _split("@r", ("E", 0.6), ("RR", 0.4))
    | _split("iA", ("I", 0.3), ("aa", 0.7))
    | _split("iE", ("I", 0.3), ("E", 0.7))
    | _split("io", ("I", 0.3), ("O", 0.7))
    | _split("ua", ("U", 0.3), ("aa", 0.7))
    | _split("uo", ("U", 0.3), ("O", 0.7))
    | _split("u@ yE y& y@", ("U", 0.3), ("E", 0.7))
    | _split("ai", ("aa", 0.6), ("I", 0.4))
    | _split("ei", ("E", 0.6), ("I", 0.4))
    | _split("Au", ("aa", 0.6), ("U", 0.4))
    | _split("ou", ("O", 0.6), ("U", 0.4))
    | _split("iou", ("I", 0.25), ("O", 0.45), ("U", 0.30))
    | _split("uei", ("U", 0.25), ("E", 0.45), ("I", 0.30))
    | _split("uai", ("U", 0.25), ("aa", 0.45), ("I", 0.30))
)

_TABLES: Final = {"en": _ENGLISH, "zh": _MANDARIN}
_LANGUAGE_SWITCHES: Final = {"(en)": "en", "(en-us)": "en", "(cmn)": "zh"}
_TAKE_NEXT_VOWEL: Final = frozenset(("h", "?"))
_UNKNOWN: Final[Parts] = (("E", 1.0),)


@dataclass(slots=True)
class _Segment:
    """One shape from `start` to the next segment. "" holds what is shown."""

    start: float
    viseme: str
    weight: float


@dataclass(frozen=True, slots=True)
class _Phoneme:
    start: float
    seconds: float
    name: str
    parts: Parts
    is_pause: bool


def phonemes_to_visemes(timings: list[Timing], language: str) -> VisemeTrack:
    """[(seconds, index in VISEMES, weight 0..1)], each lasting until the next.

    timings: kind "phoneme" with eSpeak mnemonics, in order; other kinds are ignored.
    Language switches inside ("(en)") are followed. Every p, b, m closes for at least 60 ms.
    """
    phonemes = _phonemes(timings, language)
    segments: list[_Segment] = []
    for index, phoneme in enumerate(phonemes):
        if phoneme.is_pause:
            _add_pause(segments, phoneme)
        elif phoneme.name in _TAKE_NEXT_VOWEL:
            _add_parts(segments, phoneme, _next_vowel(phonemes, index))
        else:
            _add_parts(segments, phoneme, phoneme.parts)
    _lengthen_closures(segments)
    return _merged(segments)


def _phonemes(timings: list[Timing], language: str) -> list[_Phoneme]:
    """The phonemes with durations; zero-length ones (word ends) drop out."""
    spoken = [timing for timing in timings if timing.kind == "phoneme"]
    table = _TABLES["zh" if language.startswith("zh") else "en"]
    phonemes = []
    for index, timing in enumerate(spoken):
        name = timing.text.lstrip("',%=")
        if name.startswith("(") and name.endswith(")"):
            table = _TABLES[_LANGUAGE_SWITCHES.get(name, "en")]
            continue
        is_known_end = index + 1 < len(spoken)
        seconds = spoken[index + 1].at_seconds - timing.at_seconds if is_known_end else 0.0
        if not is_known_end:
            seconds = _OPEN_END_SECONDS
        is_pause = name == "" or name[0] in "_|!"
        # Zero-length consonants stay: a p cut short must still close the lips.
        if is_pause and seconds <= 0 and is_known_end:
            continue
        phonemes.append(_Phoneme(timing.at_seconds, seconds, name, _parts(table, name), is_pause))
    return phonemes


def _parts(table: dict[str, Parts], name: str) -> Parts:
    """The shapes of a mnemonic; a variant that is not listed moves as its longest known part."""
    for length in range(len(name), 0, -1):
        found = table.get(name[:length])
        if found is not None:
            return found
    return _UNKNOWN


def _next_vowel(phonemes: list[_Phoneme], index: int) -> Parts:
    for phoneme in phonemes[index + 1 : index + 3]:
        if not phoneme.is_pause and phoneme.parts[0][0] in _VOWEL_SHAPES:
            return phoneme.parts[:1]
    return _UNKNOWN


def _add_pause(segments: list[_Segment], phoneme: _Phoneme) -> None:
    # "_" and "_:" together make the end of a clause: its length is known when both are in.
    is_clause_end = phoneme.name in ("_", "_:")
    is_seen = is_clause_end or phoneme.seconds >= _HELD_PAUSE_SECONDS
    segments.append(_Segment(phoneme.start, "sil" if is_seen else "", 1.0))


def _add_parts(segments: list[_Segment], phoneme: _Phoneme, parts: Parts) -> None:
    is_vowel = parts[0][0] in _VOWEL_SHAPES
    is_short = is_vowel and phoneme.seconds < _SHORT_VOWEL_SECONDS
    weight = _SHORT_VOWEL_WEIGHT if is_short else 1.0
    share = sum(part[1] for part in parts)
    start = phoneme.start
    for viseme, portion in parts:
        segments.append(_Segment(start, viseme, weight))
        start += phoneme.seconds * portion / share


def _lengthen_closures(segments: list[_Segment]) -> None:
    """Start each closure earlier where it is short; lips close before the burst is heard."""
    for index, segment in enumerate(segments):
        if segment.viseme != _CLOSURE:
            continue
        previous = segments[index - 1] if index else None
        if previous is not None and previous.viseme == "":
            segment.start = previous.start  # the silence before a burst is the closure itself
            previous = segments[index - 2] if index > 1 else None
        end = segments[index + 1].start if index + 1 < len(segments) else None
        if end is None or end - segment.start >= _CLOSURE_SECONDS:
            continue
        earliest = 0.0
        if previous is not None:
            earliest = (previous.start + segment.start) / 2
        segment.start = max(earliest, end - _CLOSURE_SECONDS)
        _push_later(segments, index)


def _push_later(segments: list[_Segment], index: int) -> None:
    """Where there was no room before, the closure takes it from what follows."""
    if index + 1 >= len(segments):
        return
    following = segments[index + 1]
    wanted = segments[index].start + _CLOSURE_SECONDS
    limit = segments[index + 2].start if index + 2 < len(segments) else wanted
    if following.start < wanted and following.viseme != _CLOSURE:
        following.start = max(following.start, min(wanted, limit))


def _merged(segments: list[_Segment]) -> VisemeTrack:
    """The track in order of time, without held entries, repeats and pauses too short to show."""
    ordered = _without_short_pauses([s for s in segments if s.viseme])
    track: VisemeTrack = []
    for segment in ordered:
        entry = (round(segment.start, 4), VISEMES.index(segment.viseme), segment.weight)
        if track and track[-1][0] >= entry[0] and track[-1][1] != VISEMES.index(_CLOSURE):
            track.pop()
        if not track or track[-1][1:] != entry[1:] or entry[1] == VISEMES.index(_CLOSURE):
            track.append(entry)
    return track


def _without_short_pauses(segments: list[_Segment]) -> list[_Segment]:
    kept: list[_Segment] = []
    for index, segment in enumerate(segments):
        following = next((s for s in segments[index + 1 :] if s.viseme != "sil"), None)
        is_short = (
            segment.viseme == "sil"
            and following is not None
            and following.start - segment.start < _HELD_PAUSE_SECONDS
            and kept
            and kept[-1].viseme != "sil"
        )
        if not is_short:
            kept.append(segment)
    return kept
