"""Whether the lips go with the sound, on the decoded recording of a broadcast, in both languages.

The mouth is measured from pixels, the sound from the recording's own track, each by its timestamps.
The control is the same measure with the sound in another order: what is left of the correlation is
chance. p, b and m come from the voice spoken again, found in the recording by its waveform.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from benchmarks.figures import BenchmarkError, Report, percentile, run_benchmark, tell
from benchmarks.mouth import mouth_height
from benchmarks.platform import Platform, open_platform
from benchmarks.presenting import presenter_show
from benchmarks.rendering import Sentence, speak
from benchmarks.talk import TALKS
from tests.services import work_folder

CORRELATION_LIMIT: Final = 0.5
LAG_LIMITS_MS: Final = (-80.0, 40.0)
CONTROL_LIMIT: Final = 0.15
RATE_HZ: Final = 48_000
_STEP_MS: Final = 10
_SEARCH_MS: Final = 300
_WINDOW_MS: Final = 40
_FLOOR_DB: Final = -40.0  # what is quieter counts as silence: nobody hears it beside speech
_PIECE_STEPS: Final = 50  # 0.5 s: shorter than a phrase, longer than a syllable
_SHUFFLES: Final = 40
_SKIPPED_SECONDS: Final = 0.5  # after the presenter has come into the picture
_LEAST_MATCH: Final = 0.5
_CLOSED_MARGIN: Final = 2.8  # thousandths of the picture: 2 px at 720p
_SILENT_STEPS: Final = 40
_BILABIALS: Final = ("p", "b", "m")
# The presenter leads the sound; a closure is looked for from there to the phoneme's end.
_BEFORE_SECONDS: Final = 0.085
_LONGEST_SECONDS: Final = 0.080

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Film:
    """A decoded recording. times: (n,) seconds of each picture; heights: (n,) of the mouth, NaN
    where none was found. sound: (m,) in -1..1, beginning at second 0 of the same clock."""

    times: Floats
    heights: Floats
    sound: Floats

    @property
    def presented_from(self) -> float:
        """Seconds from which the presenter is there. Raises BenchmarkError when they never are."""
        found = np.flatnonzero(~np.isnan(self.heights))
        if not found.size:
            raise BenchmarkError("no picture of the recording shows a mouth")
        return float(self.times[found[0]]) + _SKIPPED_SECONDS


@dataclass(frozen=True, slots=True)
class Match:
    """Greatest correlation and its lag in ms (positive: lips late); control: without the order."""

    correlation: float
    lag_ms: float
    control: float


def measure(given: argparse.Namespace) -> Report:
    """A recording of each language."""
    report = Report("lips")
    with work_folder("lips") as folder, open_platform(given.base_url) as platform:
        for language in TALKS:
            tell(f"recording {language}")
            path = folder / f"{language}.mp4"
            held = _record(platform, language, given.seconds, path)
            _report(report, language, read_film(path))
            report.state(f"  {language}: pictures since the start", held)
    return report


def _record(platform: Platform, language: str, seconds: float, path: Path) -> str:
    """Write a broadcast's recording to `path`; how many pictures were late, in words."""
    show = presenter_show(platform, language=language)
    with platform.on_air(show) as broadcast:
        platform.wait_for_presenter(broadcast)
        time.sleep(seconds)
        metrics = platform.broadcast(broadcast)["metrics"]
    names = ("frames", "held", "dropped", "idle")
    held = ", ".join(f"{metrics[name]} {name}" for name in names)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        rows = platform.call("GET", f"broadcasts/{broadcast}/recordings/")["results"]
        if rows and rows[0]["ended_at"]:
            path.write_bytes(platform.download(f"recordings/{rows[0]['id']}/file/"))
            return held
        time.sleep(0.3)
    raise BenchmarkError("the recording was not finished")


def read_film(path: Path) -> Film:
    """Decode a recording, measuring each picture."""
    times: list[float] = []
    heights: list[float] = []
    parts: list[tuple[float, Floats]] = []
    with av.open(str(path)) as container:
        frame: Any  # a picture or a block of sound, by the stream
        for packet in container.demux(video=0, audio=0):
            for frame in packet.decode():
                at = float(frame.pts * frame.time_base)
                if packet.stream.type == "video":
                    height = mouth_height(frame.to_ndarray(format="bgr24"))
                    times.append(at)
                    heights.append(np.nan if height is None else height)
                else:
                    parts.append((at, frame.to_ndarray()[0].astype(np.float64)))
    if not times or not parts:
        raise BenchmarkError("the recording holds no picture or no sound")
    return Film(np.array(times), np.array(heights), _lay_out(parts))


def _lay_out(parts: list[tuple[float, Floats]]) -> Floats:
    """One array from second 0 on; what lies before it is left out."""
    last_at, last = parts[-1]
    sound = np.zeros(round(last_at * RATE_HZ) + len(last))
    for at, samples in parts:
        first = round(at * RATE_HZ)
        if first >= 0:
            sound[first : first + len(samples)] = samples
    return sound


def loudness_db(sound: Floats, steps: int) -> Floats:
    """(steps,) RMS over 40 ms around each 10 ms step, in dB of full scale, at least -40."""
    power = np.concatenate(([0.0], np.cumsum(sound**2)))
    middles = np.arange(steps) * RATE_HZ * _STEP_MS // 1000
    half = RATE_HZ * _WINDOW_MS // 2000
    low, high = np.clip(middles - half, 0, len(sound)), np.clip(middles + half, 0, len(sound))
    mean = (power[high] - power[low]) / np.maximum(high - low, 1)
    result: Floats = np.maximum(10 * np.log10(mean + 1e-12), _FLOOR_DB)
    return result


def match_lips(film: Film, random: np.random.Generator) -> Match:
    """Correlate mouth and loudness over lags of 300 ms to each side."""
    steps = int(film.times[-1] * 1000 / _STEP_MS)
    first = int(film.presented_from * 1000 / _STEP_MS)
    found = ~np.isnan(film.heights)
    grid = np.arange(steps) * _STEP_MS / 1000
    # A picture is on the screen until the next: its middle is half a frame after its timestamp.
    half = float(np.median(np.diff(film.times))) / 2
    mouth = np.interp(grid, film.times[found] + half, film.heights[found])[first:]
    sound = loudness_db(film.sound, steps)[first:]
    correlation, lag_ms = best_lag(mouth, sound)
    controls = [best_lag(mouth, shuffle(sound, random))[0] for _ in range(_SHUFFLES)]
    return Match(correlation, lag_ms, percentile(controls, 0.5))


def best_lag(mouth: Floats, sound: Floats) -> tuple[float, float]:
    """(greatest correlation, lag of the mouth in ms at which it is)."""
    reach = _SEARCH_MS // _STEP_MS
    middle = sound[reach:-reach]
    best = (-1.0, 0.0)
    for lag in range(-reach, reach + 1):
        moved = mouth[reach + lag : len(mouth) - reach + lag]
        value = float(np.corrcoef(moved, middle)[0, 1])
        best = max(best, (value, float(lag * _STEP_MS)))
    return best


def shuffle(sound: Floats, random: np.random.Generator) -> Floats:
    """The same loudness in pieces of half a second, in another order."""
    count = len(sound) // _PIECE_STEPS
    pieces = sound[: count * _PIECE_STEPS].reshape(count, _PIECE_STEPS)
    rest = sound[count * _PIECE_STEPS :]
    return np.concatenate((pieces[random.permutation(count)].ravel(), rest))


def closures(film: Film, language: str) -> tuple[int, int]:
    """(p, b, m whose lips are seen closed, all of them)."""
    limit = _closed_height(film) + _CLOSED_MARGIN
    frame_seconds = float(np.median(np.diff(film.times)))
    closed = total = 0
    for text in TALKS[language]:
        sentence = speak(text, language)
        for start in _find_all(film.sound, sentence):
            for begin, end in bilabials(sentence):
                low = start + begin - _BEFORE_SECONDS - frame_seconds / 2
                shown = (film.times >= low) & (film.times <= start + end)
                heights = film.heights[shown & ~np.isnan(film.heights)]
                if start + begin < film.presented_from or not heights.size:
                    continue
                total += 1
                closed += int(heights.min() <= limit)
    return closed, total


def _closed_height(film: Film) -> float:
    """How high the mouth is while nobody speaks: the greatest of what is usual."""
    steps = int(film.times[-1] * 1000 / _STEP_MS)
    silent = loudness_db(film.sound, steps) <= _FLOOR_DB
    # Well inside a pause: the lips relax and lead.
    inside = np.convolve(silent, np.ones(_SILENT_STEPS), "same") >= _SILENT_STEPS - 0.5
    at = np.minimum((film.times * 1000 / _STEP_MS).astype(int), steps - 1)
    heights = film.heights[inside[at] & ~np.isnan(film.heights)]
    if heights.size < 3:
        heights = film.heights[~np.isnan(film.heights)]
        return percentile(heights.tolist(), 0.1)
    return percentile(heights.tolist(), 0.5)


def bilabials(sentence: Sentence) -> list[tuple[float, float]]:
    """Begin and end of each p, b, m in seconds of the sentence; the end at most 80 ms later."""
    found = []
    for index, (at, name) in enumerate(sentence.phonemes):
        if name[:1] not in _BILABIALS:
            continue
        following = [moment for moment, _ in sentence.phonemes[index + 1 :] if moment > at]
        end = following[0] if following else at + _LONGEST_SECONDS
        found.append((at, min(end, at + _LONGEST_SECONDS)))
    return found


def _find_all(sound: Floats, sentence: Sentence) -> list[float]:
    """Seconds at which the sentence begins, wherever its waveform is found whole."""
    wanted = sentence.samples.astype(np.float64) / 32768
    size = 1 << (len(sound) + len(wanted) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(wanted, size)), size)
    scores = product[: max(0, len(sound) - len(wanted))]
    power = np.concatenate(([0.0], np.cumsum(sound**2)))
    energy = power[len(wanted) :][: len(scores)] - power[: len(scores)]
    scores = scores / np.sqrt(np.maximum(energy, 1e-3) * (wanted**2).sum())
    starts = []
    while scores.size and scores.max() >= _LEAST_MATCH:
        at = int(np.argmax(scores))
        starts.append(at / RATE_HZ)
        scores[max(0, at - len(wanted)) : at + len(wanted)] = 0
    return starts


def _report(report: Report, language: str, film: Film) -> None:
    match = match_lips(film, np.random.default_rng(1))
    closed, total = closures(film, language)
    report.at_least(f"lips {language}: correlation", match.correlation, CORRELATION_LIMIT, "")
    report.between(f"lips {language}: lag", match.lag_ms, LAG_LIMITS_MS, "ms")
    report.at_most(f"lips {language}: control, sound shuffled", match.control, CONTROL_LIMIT, "")
    share = closed / total if total else 0.0
    report.at_least(
        f"lips {language}: p, b, m seen closed", share * 100, 100, "%", f"{closed} of {total}"
    )


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", seconds=75.0))
