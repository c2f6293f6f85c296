"""Control loops that are killed while many shows come due, and what is left in the database.

As a program (the settings name the database): `python -m tests.streams.storm create URL NAME` makes
a database on that MariaDB, `seed 200 8 20` plans 200 shows that start in 8 to 28 seconds, `loop`
runs `manage.py run_control` with a launcher that starts no process, `report` prints a `Report`.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from inference.launchers.base import Handle, LaunchRequest, Poll


class EternalLauncher:
    """Starts nothing; what it was asked to start counts as alive for every loop."""

    name = "eternal"

    def prepare(self) -> None:
        """Nothing to prepare."""

    def close(self) -> None:
        """Nothing to release."""

    def start(self, request: LaunchRequest, record: Callable[[Handle], None]) -> Handle:
        handle = {"pid": os.getpid(), "id": str(uuid4())}
        record(handle)
        return handle

    def poll(self, handle: Handle) -> Poll:
        return Poll("alive")

    def stop(self, handle: Handle, *, is_forced: bool) -> None:
        """Nothing runs."""


@dataclass(frozen=True, slots=True)
class Report:
    """planned: airings by state. doubled, without_broadcast, without_process, launched_twice: how
    many airings. late_ms: how long after its time each show was opened, sorted."""

    planned: dict[str, int]
    broadcasts: int
    doubled: int
    without_broadcast: int
    without_process: int
    launched_twice: int
    late_ms: list[int]

    @property
    def is_right(self) -> bool:
        """Every airing was started and launched, and none twice."""
        wrong = self.doubled + self.without_broadcast + self.without_process + self.launched_twice
        return not wrong and set(self.planned) == {"started"} and bool(self.broadcasts)


def connect(server_url: str, name: str = "") -> Any:
    """A connection to that MariaDB, past Django, each statement a transaction."""
    import environ
    import MySQLdb

    server = environ.Env.db_url_config(server_url)
    return MySQLdb.connect(
        host=server["HOST"], port=int(server["PORT"]), user=server["USER"],
        password=server["PASSWORD"], database=name, autocommit=True,
    )  # fmt: skip


def create(server_url: str, name: str) -> None:
    """A database of that name, with the tables of today."""
    from django.core.management import call_command

    with closing(connect(server_url)) as server:
        server.query(f"CREATE DATABASE {name} COLLATE utf8mb4_unicode_ci")
    call_command("migrate", verbosity=0)


def seed(shows: int, in_seconds: float, over_seconds: int = 1) -> None:
    """Plan shows whose starts are spread over some seconds; a negative time makes them due."""
    from django.utils import timezone

    from streams.models import Schedule
    from streams.services.schedule import replace_schedule
    from tests.factories import make_cast
    from tests.streams.plans import make_show

    cast = make_cast()
    titles = [f"Show {number}" for number in range(shows)]
    made = [make_show(cast.organization, cast.alice, title=title) for title in titles]
    # A schedule counts whole seconds.
    start = (timezone.now() + timedelta(seconds=in_seconds + 1)).replace(microsecond=0)
    for number, show in enumerate(made):
        local = start.replace(tzinfo=None) + timedelta(seconds=number % over_seconds)
        replace_schedule(show, {"starts_at_local": local.isoformat(), "timezone": "UTC"})
    Schedule.objects.filter(planned_until__gt=start).update(planned_until=start)


def run_loop() -> None:
    """`manage.py run_control` until it is ended."""
    from django.core.management import call_command

    from streams.management.commands import run_control

    run_control.build_launcher = lambda **_: EternalLauncher()  # type: ignore[assignment]
    call_command("run_control")


def report() -> Report:
    """What the rows say now."""
    from inference.models import Runner
    from streams.models import Broadcast, Occurrence

    occurrences = list(Occurrence.objects.select_related("broadcast"))
    rows = Broadcast.objects.exclude(occurrence=None).select_related("occurrence")
    airings = Counter(row.show_id for row in rows)
    # A launch without a handle never had a process: its loop died first.
    launched = Counter(row.broadcast for row in Runner.objects.all() if row.handle)
    late = [row.started_at - row.occurrence.starts_at for row in rows]
    return Report(
        planned=dict(Counter(row.state for row in occurrences)),
        broadcasts=len(rows),
        doubled=sum(count > 1 for count in airings.values()),
        without_broadcast=sum(not hasattr(row, "broadcast") for row in occurrences),
        without_process=sum(row.pk not in launched for row in rows),
        launched_twice=sum(count > 1 for count in launched.values()),
        late_ms=sorted(round(item.total_seconds() * 1000) for item in late),
    )


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    if arguments[0] == "create":
        create(arguments[1], arguments[2])
    elif arguments[0] == "seed":
        seed(int(arguments[1]), float(arguments[2]), int(arguments[3]))
    elif arguments[0] == "loop":
        run_loop()
    else:
        sys.stdout.write(json.dumps(asdict(report())) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
