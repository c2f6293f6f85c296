"""`manage.py weights`: the files that neural presenters need, and which of them are here."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from avatars.bundles import present_servers, weights_folder
from avatars.weights import licences_of, list_weights
from inference.model_servers import read_state
from inference.tool_client import ToolError

# Hashing several GB; the next time what has not changed is not read again.
_TIMEOUT_SECONDS: Final = 600
_STATE_WIDTH: Final = len("wrong hash")


class Command(BaseCommand):
    help = (
        "List the weights of neural presenters: source, licence, size, and whether each file is "
        "present, missing, or has the wrong hash (then exit status 1)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON list of all networks")

    def handle(self, *args: Any, **options: Any) -> None:
        """Nothing is downloaded: the licences are for the operator to read."""
        try:
            parts = list_weights(timeout_seconds=_TIMEOUT_SECONDS)
        except ToolError as error:
            raise CommandError(error.message) from error
        folder = str(weights_folder())
        self.stdout.write(json.dumps(parts) if options["json"] else _as_text(parts, folder))
        if any(file["state"] == "wrong hash" for part in parts for file in part["files"]):
            sys.exit(1)


def _as_text(parts: list[dict[str, Any]], folder: str) -> str:
    ready = sum(part["ready"] for part in parts)
    listed = "\n\n".join(_part_as_text(part) for part in parts)
    summary = f"Files belong into {folder}. {ready} of {len(parts)} networks are ready."
    return f"{listed}\n\n{summary}{_servers_as_text()}"


def _servers_as_text() -> str:
    """Who loads them, where that is one process for all broadcasts."""
    states = [read_state(server) for server in present_servers()]
    lines = [
        f"\n{state.server.name} loads {state.server.networks} "
        f"on {state.server.device}: {state.message or state.state}"
        for state in states
    ]
    return "".join(lines)


def _part_as_text(part: dict[str, Any]) -> str:
    state = "ready" if part["ready"] else "not ready"
    lines = [
        f"{part['name']}: {state}",
        f"  for {part['needed_for']}",
        f"  licence: {licences_of(part)}",
    ]
    if len(part["choices"]) > 1:
        lines.append("  one of: " + " | ".join(" + ".join(names) for names in part["choices"]))
    return "\n".join([*lines, *(_file_as_text(file) for file in part["files"])])


def _file_as_text(file: dict[str, Any]) -> str:
    indent = " " * (_STATE_WIDTH + 4)
    lines = [
        f"  {file['state']:<{_STATE_WIDTH}}  {file['path']}  {_size(file['size_bytes'])}",
        f"{indent}from {file['source']}",
    ]
    if file["state"] == "wrong hash":
        lines.append(f"{indent}SHA-256 is {file['sha256']}, expected {file['expected_sha256']}")
    elif not file["is_hash_known"]:
        lines.append(f"{indent}its hash is not known: that of the first file seen is kept")
    return "\n".join(lines)


def _size(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
