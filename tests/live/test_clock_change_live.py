"""The clock of the control loop's process jumps while one show is on air and another is due."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.live.airings import start_airing
from tests.live.site import wait_until
from tests.live.studio import open_parts
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

FENCE_SECONDS = 32  # after this long the loop judges leases
WRONG_SECONDS = 20
SENTENCES = 80


@pytest.mark.parametrize("hours", [1, -1])
def test_jump_of_the_clock_starts_nothing_twice_and_leaves_what_is_on_air(
    rtmp_server: RtmpServer, tmp_path: Path, hours: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    program = {"program": "tests/live/wrong_clock.py", "CLOCK_FILE": str(clock)}
    with open_parts(control=program) as (studio, _), ExitStack() as stack:
        platform = studio.platform
        key = f"clock{hours}"
        on_air = start_airing(stack, studio, rtmp_server, key, sentences=SENTENCES)
        on_air.wait_for_said(1)
        runner = on_air.pid("runner")
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=FENCE_SECONDS + 10)
        local = start.replace(tzinfo=None).isoformat()
        due = platform.make_test_show(
            profile="mobile",
            ends="after_rundown",
            schedule={"starts_at_local": local, "timezone": "UTC", "rrule": "FREQ=DAILY"},
        )

        time.sleep(FENCE_SECONDS)
        clock.write_text(str(hours * 3600))
        time.sleep(WRONG_SECONDS)  # the show is due in this time
        clock.write_text("0")

        since = (start - timedelta(hours=2)).isoformat().replace("+00:00", "Z")
        until = (start + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
        planned = f"shows/{due}/occurrences/?from={since}&to={until}"
        started = lambda: [  # noqa: E731 - a condition of one line
            row for row in platform.call("GET", planned)["results"] if row["state"] == "started"
        ]
        wait_until(started, "the planned show starts")
        on_air.wait_for_end()
        assert [row["state"] for row in platform.call("GET", planned)["results"]] == ["started"]
        broadcasts = platform.call("GET", f"broadcasts/?show={due}")["results"]
        assert [row["show"] for row in broadcasts] == [due]
        assert broadcasts[0]["runner"]["lease_epoch"] == 1
        on_air.check_untouched(runner=runner)
        # A loaded machine may skip pictures, and counts them; the jump may lose none.
        assert on_air.missing_pictures() <= on_air.row["metrics"]["dropped"]
