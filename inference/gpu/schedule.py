"""Which requests go into the next pass: those that are due first, whoever they are from."""

from __future__ import annotations

import heapq
import statistics
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from inference.gpu.painters import Pass
from inference.gpu.wire import Kind

# Passes that are on the device at once: it must not wait for this process between two.
IN_FLIGHT: Final = 2
# Of a pass on the device, while it runs.
LOOK_SECONDS: Final = 0.0005
# Of how long it took to begin a pass: a slow beginning is expected again for a while.
_REMEMBERED: Final = 0.9
# Measures of a pass that are kept: with their median as its time, a few late ones change nothing.
_KEPT_MEASURES: Final = 15
_RELAX_SECONDS: Final = 4


@dataclass(slots=True)
class Job:
    """A request that waits. client, request: the server's."""

    kind: Kind
    due: float
    client: Any
    request: Any


@dataclass(slots=True)
class Flight:
    """A pass on the device. first_row: of its faces that is shown.

    seconds: that it should take there. begin_seconds: of this process, to begin it.
    """

    jobs: list[Job]
    started_at: float
    first_row: int
    work: Pass
    seconds: float
    begin_seconds: float
    ends_at: float = 0.0

    @property
    def is_over(self) -> bool:
        """Painted or broken: CUDA tells of a fault whenever it is asked; its faces raise it."""
        try:
            return self.work.is_done()
        except RuntimeError:
            return True


@dataclass(slots=True)
class Flights:
    """The passes on the device, in their order."""

    _flights: deque[Flight] = field(default_factory=deque)
    _begin_seconds: float = 0.0

    def kinds_to_begin(self, now: float) -> tuple[Kind, ...]:
        """What there is a place for: faces shortly before the device has nothing to do, no sooner.

        Sound is heard beside faces that are being painted.
        """
        if len(self._flights) >= IN_FLIGHT:
            return ()
        ahead = self._begin_seconds + 2 * LOOK_SECONDS
        is_busy = bool(self._flights) and now < self._flights[0].ends_at - ahead
        return (Kind.HEAR,) if is_busy else (Kind.PAINT, Kind.HEAR)

    def add(self, flight: Flight) -> None:
        """One that was begun behind all others."""
        self._begin_seconds = max(flight.begin_seconds, _REMEMBERED * self._begin_seconds)
        follows = max([flight.started_at, *(other.ends_at for other in self._flights)])
        flight.ends_at = follows + flight.seconds
        self._flights.append(flight)

    def next_over(self) -> Flight | None:
        """The oldest, once it is over."""
        is_over = bool(self._flights) and self._flights[0].is_over
        return self._flights.popleft() if is_over else None

    def __len__(self) -> int:
        return len(self._flights)


@dataclass(slots=True)
class Timings:
    """Seconds that a pass of each bucket takes: the median of the last measures."""

    seconds: dict[int, float]
    _warm: dict[int, float] = field(init=False)
    _measures: dict[int, deque[float]] = field(init=False)
    _relaxed: int = 0

    def __post_init__(self) -> None:
        self._warm = dict(self.seconds)
        self._measures = {
            bucket: deque([warm] * _KEPT_MEASURES, _KEPT_MEASURES)
            for bucket, warm in self._warm.items()
        }

    def note(self, bucket: int, seconds: float) -> None:
        """A pass took so long."""
        self._measures[bucket].append(seconds)
        self.seconds[bucket] = statistics.median(self._measures[bucket])

    def relax(self) -> None:
        """Once a second: a bucket that was too slow to be used is worth another try some day.

        In half a minute without passes it is back at what the warm start measured.
        """
        self._relaxed += 1
        if self._relaxed % _RELAX_SECONDS == 0:
            for bucket, warm in self._warm.items():
                self.note(bucket, warm)

    def of(self, count: int) -> float:
        """Of a pass of so many."""
        return self.seconds[min(bucket for bucket in self.seconds if bucket >= count)]

    def best_size(self, waiting: int, largest: int) -> int:
        """How many of `waiting` to take into one pass, at most `largest`, a bucket.

        A pass that is filled up costs as much as a full one: where a smaller full pass and another
        for the rest cost less, the smaller one comes first.
        """
        if waiting >= largest:
            return largest
        above = min(bucket for bucket in self.seconds if bucket >= waiting)
        if above == waiting:
            return waiting
        below = max(bucket for bucket in self.seconds if bucket <= waiting)
        rest = min(bucket for bucket in self.seconds if bucket >= waiting - below)
        is_cheaper = self.seconds[below] + self.seconds[rest] < self.seconds[above]
        return below if is_cheaper else waiting


@dataclass(slots=True)
class JobQueue:
    """Waiting requests, earliest deadline first.

    Liu and Layland, "Scheduling Algorithms for Multiprogramming in a Hard-Real-Time Environment",
    1973: where any order keeps all deadlines, this one does.
    """

    _heaps: dict[Kind, list[tuple[float, int, Job]]] = field(
        default_factory=lambda: {Kind.PAINT: [], Kind.HEAR: []}
    )
    _count: int = 0

    def add(self, job: Job) -> None:
        self._count += 1
        heapq.heappush(self._heaps[job.kind], (job.due, self._count, job))

    def take(
        self,
        now: float,
        timings: Mapping[Kind, Timings],
        largest: Mapping[Kind, int],
        kinds: Collection[Kind] = (Kind.PAINT, Kind.HEAR),
    ) -> tuple[list[Job], list[Job]]:
        """(the jobs of the next pass, jobs whose time is over).

        A pass is of one of `kinds`: that of the job due first.
        """
        late = [job for heap in self._heaps.values() for job in _pop_before(heap, now)]
        heads = [(self._heaps[kind][0][0], kind) for kind in kinds if self._heaps[kind]]
        if not heads:
            return [], late
        kind = min(heads)[1]
        heap = self._heaps[kind]
        size = timings[kind].best_size(len(heap), largest[kind])
        return [heapq.heappop(heap)[2] for _ in range(size)], late

    def forget(self, client: Any) -> None:
        """Drop what a client asked for."""
        self._keep(lambda job: job.client is not client)

    def withdraw(self, job: Job) -> bool:
        """Drop one; False when it waits no more."""
        before = len(self)
        self._keep(lambda other: other is not job)
        return len(self) < before

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def _keep(self, is_kept: Callable[[Job], bool]) -> None:
        for heap in self._heaps.values():
            heap[:] = [entry for entry in heap if is_kept(entry[2])]
            heapq.heapify(heap)


def _pop_before(heap: list[tuple[float, int, Job]], now: float) -> Iterator[Job]:
    while heap and heap[0][0] < now:
        yield heapq.heappop(heap)[2]
