"""`manage.py doctor`: what this machine can do, and what to do about each gap."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from livestudio.doctor import Finding, examine

_SIGNS: Final = {"ok": "ok  ", "note": "note", "stop": "STOP"}


class Command(BaseCommand):
    help = "Tell what this machine can do; exit status 1 when the demo cannot run."
    # The doctor examines these itself and goes on when one is broken.
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django declares it so

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print each finding as it is made; the exit status says whether the demo can run."""
        stops = 0
        for finding in examine():
            stops += finding.level == "stop"
            self.stdout.write(_as_json(finding) if options["json"] else _as_text(finding))
        if not options["json"]:
            verdict = "The demo can run here." if not stops else f"{stops} gaps stop the demo."
            self.stdout.write(f"\n{verdict}")
        if stops:
            sys.exit(1)


def _as_text(finding: Finding) -> str:
    line = f"{_SIGNS[finding.level]}  {finding.part}: {finding.text}"
    return f"{line}\n      → {finding.advice}" if finding.advice else line


def _as_json(finding: Finding) -> str:
    return json.dumps(dataclasses.asdict(finding), ensure_ascii=False)
