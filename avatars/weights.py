"""The weights of neural engines on this host, as a child process finds them."""

from __future__ import annotations

import json
from typing import Any

from avatars.bundles import weights_folder
from inference.tool_client import run_tool


def list_weights(*, timeout_seconds: float = 20.0) -> list[dict[str, Any]]:
    """Every network with its files, their state and licences. Raises ToolError.

    The first look at new files hashes gigabytes: `manage.py weights` gives it the time.
    """
    request = {"folder": str(weights_folder())}
    parts: list[dict[str, Any]] = json.loads(
        run_tool("weights", request, timeout_seconds=timeout_seconds)
    )
    return parts


def licences_of(part: dict[str, Any]) -> str:
    """The licences of a network's files, each once."""
    return " / ".join(dict.fromkeys(file["licence"] for file in part["files"]))
