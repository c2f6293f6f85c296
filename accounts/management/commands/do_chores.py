"""manage.py do_chores: makes the exports that wait, and deletes what is past its time."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts.services.exports import make_next_export
from accounts.services.housekeeping import sweep


class Command(BaseCommand):
    """The control loop starts it, in a process of its own: it may take minutes."""

    help = "Make the exports that wait; with --delete also delete what is past its time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--delete", action="store_true", help="believe the clock")

    def handle(self, *args: Any, delete: bool, **options: Any) -> None:
        while make_next_export(timezone.now()):
            pass
        if delete:
            sweep(timezone.now())
