"""Which requests go into the next pass: those that are due first, whoever they are from."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from inference.gpu.wire import Kind

# A pass takes this much of what was measured before into account.
_INERTIA: Final = 0.9
_OUTLIER: Final = 3.0
# Half of the way back to what the warm start measured in half a minute.
_RELAX: Final = 0.02


@dataclass(slots=True)
class Job:
    """A request that waits. client, request: the server's."""

    kind: Kind
    due: float
    client: Any
    request: Any


@dataclass(slots=True)
class Timings:
    """Seconds that a pass of each bucket takes, as measured and as it changes."""

    seconds: dict[int, float]
    _warm: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self._warm = dict(self.seconds)

    def note(self, bucket: int, seconds: float) -> None:
        """A pass took so long. One that a stall made long counts as three, not as a thousand."""
        known = self.seconds[bucket]
        counted = min(seconds, _OUTLIER * known)
        self.seconds[bucket] = _INERTIA * known + (1 - _INERTIA) * counted

    def relax(self) -> None:
        """Once a second: a bucket that was too slow to be used is worth another try some day."""
        for bucket, warm in self._warm.items():
            self.seconds[bucket] += _RELAX * (warm - self.seconds[bucket])

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
        self, now: float, timings: Mapping[Kind, Timings], largest: Mapping[Kind, int]
    ) -> tuple[list[Job], list[Job]]:
        """(the jobs of the next pass, jobs whose time is over).

        A pass is of one kind: that of the job due first.
        """
        late = [job for heap in self._heaps.values() for job in _pop_before(heap, now)]
        heads = [(heap[0][0], kind) for kind, heap in self._heaps.items() if heap]
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
