"""What a core encodes depends on who listens."""

from __future__ import annotations

from inference.runner.core import MediaCore
from inference.runner.fanout import Subscription
from tests.inference.fake_time import FakeTime
from tests.inference.runner.test_core import drain, run


def test_opus_is_made_only_while_a_viewer_listens() -> None:
    ears: list[Subscription] = []

    def come_and_go(core: MediaCore, time: FakeTime, tick: int) -> None:
        if tick in (51, 101):
            ears.append(core.hub.subscribe(f"viewer {tick}", {"opus"}))
        if tick == 71:
            ears[0].close()

    made = run(3, streams=("video:main", "aac"), at_tick=come_and_go)

    # Asked for behind a tick, made from the next one on.
    first, second = ([p.pts for p in drain(ear)] for ear in ears)
    assert first == [tick * 960 - 120 for tick in range(52, 72)]
    assert second == [tick * 960 - 120 for tick in range(102, 150)]
    assert made.core.metrics()["cpu_ms_per_frame"]["opus"] > 0
    assert len(made.stream("aac")) > 3 * 46  # without a gap
    assert run(1, streams=("aac",)).core.metrics()["cpu_ms_per_frame"]["opus"] == 0
