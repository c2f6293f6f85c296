"""How soon the built-in voice speaks: from asking its worker for a sentence to the first sound.

Asked as the runner asks, over the worker's pipes. Besides: how long a whole sentence takes, and
how soon a long one falls silent when it is given up.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from benchmarks.figures import Report, percentile, run_benchmark, spread
from benchmarks.platform import ROOT
from benchmarks.talk import TALKS
from inference.workers.wire import Json, pack, read_message

FIRST_LIMIT_MS: Final = 50.0
_GENDERS: Final = ("female", "male")
_RATE_HZ: Final = 48_000


class Worker:
    """A speech worker of its own, asked for one sentence at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "inference.workers.speech"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._numbers = itertools.count(1)
        self._read()  # ready

    def close(self) -> None:
        """End of its stdin, which ends it."""
        self._process.communicate(timeout=30)

    def ask(self, text: str, language: str, gender: str = "female") -> str:
        """Ask for a sentence; its request's name."""
        request = str(next(self._numbers))
        voice = {"engine": "espeak", "language": language, "settings": {"gender": gender}}
        self._send({"type": "synthesize", "request": request, "text": text, "voice": voice})
        return request

    def cancel(self, request: str) -> None:
        self._send({"type": "cancel", "request": request})

    def answers(self) -> Iterator[tuple[float, Json, bytes]]:
        """The messages of a request and when each came (seconds), to its end."""
        while True:
            header, payload = self._read()
            yield time.perf_counter(), header, payload
            if header["type"] in ("done", "failed"):
                return

    def _send(self, header: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(pack(header))
        self._process.stdin.flush()

    def _read(self) -> tuple[Json, bytes]:
        assert self._process.stdout is not None
        message = read_message(self._process.stdout)
        if message is None:
            raise SystemExit("the speech worker has ended")
        return message


def measure(given: argparse.Namespace) -> Report:
    report = Report("voice")
    with closing(Worker()) as worker:
        for language in TALKS:
            _measure_language(worker, language, given.runs, report)
        _measure_cancels(worker, given.runs, report)
    return report


def _measure_language(worker: Worker, language: str, runs: int, report: Report) -> None:
    """Sentences in turn by both voices; the first of each is left out: it loads a dictionary."""
    first_ms, whole_ms, seconds = [], [], 0.0
    sentences = itertools.cycle(itertools.product(TALKS[language], _GENDERS))
    for number, (text, gender) in enumerate(itertools.islice(sentences, runs + len(_GENDERS))):
        asked = time.perf_counter()
        worker.ask(text, language, gender)
        came = [(at, len(sound) // 2) for at, _, sound in worker.answers()]
        if number < len(_GENDERS):
            continue
        first_ms.append(next(at - asked for at, samples in came if samples) * 1000)
        whole_ms.append((came[-1][0] - asked) * 1000)
        seconds += sum(samples for _, samples in came) / _RATE_HZ
    report.at_most(
        f"{language}: asked -> first sound, P95 of {runs}",
        percentile(first_ms, 0.95), FIRST_LIMIT_MS, "ms", spread(first_ms),
    )  # fmt: skip
    share = sum(whole_ms) / 1000 / seconds
    report.state(
        f"  {language}: a whole sentence", f"{spread(whole_ms)} ms; {share:.1%} of its length"
    )
    report.details[f"first_ms_{language}"] = first_ms


def _measure_cancels(worker: Worker, runs: int, report: Report) -> None:
    taken = []
    for _ in range(runs):
        request = worker.ask(" ".join(TALKS["en-US"]) * 20, "en-US")
        answers = worker.answers()
        next(message for message in answers if message[2])
        gave_up = time.perf_counter()
        worker.cancel(request)
        *_, (ended, _, _) = answers
        taken.append((ended - gave_up) * 1000)
    report.state(f"  given up -> silent, of {runs}", f"{spread(taken)} ms", percentile(taken, 0.95))


if __name__ == "__main__":
    sys.exit(run_benchmark(measure, description=__doc__ or "", runs=40))
