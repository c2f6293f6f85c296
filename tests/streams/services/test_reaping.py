"""Only what certainly is ours and dead is removed from shared memory."""

from __future__ import annotations

import uuid
from pathlib import Path

from inference.models import Runner, RunnerState
from streams.models import Broadcast
from streams.services.reaping import reap_shared_memory
from tests.factories import Cast
from tests.streams.plans import put_live


def test_rings_of_dead_broadcasts_are_removed(
    cast: Cast, broadcast: Broadcast, tmp_path: Path
) -> None:
    running = put_live(cast, title="Second")
    Runner.objects.create(
        broadcast=running.pk, lease_epoch=1, launcher="x", state=RunnerState.RUNNING,
        started_at=running.created_at,
    )  # fmt: skip
    dead = tmp_path / f"livestudio-{broadcast.pk}-1.ring"
    kept = [
        tmp_path / f"livestudio-{running.pk}-1.ring",
        tmp_path / f"livestudio-{uuid.uuid4()}-1.ring",  # another installation's
        tmp_path / "livestudio-notes",
        tmp_path / "other",
    ]
    for path in (dead, *kept):
        path.touch()

    assert reap_shared_memory(tmp_path) == 1

    assert sorted(tmp_path.iterdir()) == sorted(kept)
