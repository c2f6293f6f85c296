"""manage.py run_control: starts due broadcasts, launches runners, watches over them."""

from __future__ import annotations

import os
import signal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.services import build_launcher
from livestudio.common.life import watch_life
from streams.control_loop import ControlLoop


class Command(BaseCommand):
    """SIGTERM finishes the round that is under way; runners stay on air."""

    help = "Run a control loop. Any number may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--life-fd", type=int, default=None, help="read end of the pipe of `manage.py up`"
        )

    def handle(self, *args: Any, life_fd: int | None, **options: Any) -> None:
        try:
            loop = ControlLoop(build_launcher(life_fd=life_fd))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: loop.stop())
        if life_fd is not None:
            os.set_inheritable(life_fd, False)  # runners get it by name only
            watch_life(life_fd, loop.stop)
        loop.run()
