"""manage.py run_webhooks: sends what waits in the outbox of webhooks."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from livestudio.common.life import watch_life
from webhooks.sender import Sender


class Command(BaseCommand):
    """SIGTERM finishes the requests that are under way."""

    help = "Send webhooks. Any number may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--life-fd", type=int, default=None, help="ends with what is written to this pipe"
        )
        parser.add_argument(
            "--idle-seconds", type=float, default=None, help="end after so long without work"
        )

    def handle(
        self, *args: Any, life_fd: int | None, idle_seconds: float | None, **options: Any
    ) -> None:
        sender = Sender(idle_seconds)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: sender.stop())
        if life_fd is not None:
            watch_life(life_fd, sender.stop)
        sender.run()
