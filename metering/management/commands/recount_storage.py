"""`manage.py recount_storage`: compare what storage is counted with the disk, and mend it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from metering.services.storage import recount


class Command(BaseCommand):
    help = "Compares what counts against storage with the files on the disk, and mends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Report, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        drift = recount(is_repaired=not options["dry_run"])
        for organization, size_bytes in sorted(drift.by_organization.items()):
            self.stdout.write(f"{organization}: {size_bytes:+d} bytes")
        told = f"not counted: {drift.missing}, gone: {drift.gone}, other size: {drift.changed}"
        done = "reported only" if options["dry_run"] else "mended"
        self.stdout.write("nothing to mend" if drift.is_none else f"{told}; {done}")
