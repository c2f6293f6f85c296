"""Failures that a newcomer can act on, each in one line."""

from __future__ import annotations

import errno
import shutil
import socket
from pathlib import Path

SECONDS_MAX = 7 * 24 * 3600
DISK_WORDS = ("no space left on device", "disk quota exceeded", "enospc")
NETWORK_WORDS = (
    "temporary failure in name resolution",
    "name or service not known",
    "failed to establish a new connection",
    "network is unreachable",
    "connection refused",
    "connecttimeout",
    "(from versions: none)",
    "could not resolve",
    "temporary failure resolving",
    "enotfound",
    "eai_again",
    "etimedout",
    "econnrefused",
)


class BootstrapError(Exception):
    """One line for the user; `exit_code` is 2 when the user has to install something as root."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explain(step: str, output: str) -> str:
    """Say in one line why `step`, which printed `output`, failed."""
    low = output.lower()
    if any(word in low for word in DISK_WORDS):
        return f"{step}: the disk is full. Free some space and run the same command again."
    if any(word in low for word in NETWORK_WORDS):
        return (
            f"{step}: the network cannot be reached. Check the connection "
            "(or HTTPS_PROXY and PIP_INDEX_URL) and run the same command again."
        )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    # The first error is the cause, the ones after it follow from it.
    reason = (errors or lines[-1:] or ["no output"])[0]
    return f"{step} failed: {reason}"


def require_disk(folder: Path, *, needed_mib: int, purpose: str) -> None:
    """Raise BootstrapError unless `folder` has `needed_mib` free."""
    free_mib = shutil.disk_usage(folder).free // 2**20
    if free_mib < needed_mib:
        raise BootstrapError(
            f"{purpose} needs about {needed_mib} MiB of disk in {folder}, and {free_mib} are free. "
            "Free some space and run the same command again."
        )


def require_free_port(host: str, port_text: str) -> None:
    """Raise BootstrapError if PORT is no port number or something listens there already."""
    is_number = port_text.isascii() and port_text.isdigit()
    if not is_number or not 1 <= int(port_text) <= 65535:
        raise BootstrapError(f"PORT must be a number from 1 to 65535; it is {port_text!r}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the server does: a port in TIME_WAIT after the last run is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port_text)))
        except OSError as error:
            raise BootstrapError(_port_message(host, port_text, error)) from error


def require_seconds(text: str) -> None:
    """Raise BootstrapError unless SECONDS is empty or a number: before the install, not after."""
    if text and not (text.isascii() and text.isdigit() and int(text) <= SECONDS_MAX):
        raise BootstrapError(
            f"SECONDS must be a number from 0 to {SECONDS_MAX}, or not be set; it is {text!r}."
        )


def explain_file(error: OSError) -> str:
    """Say in one line what is to be done about a file of the clone that cannot be written."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{place}. Free some space and run the same command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"This user may not write in this clone{place}. Run the command as the user who made "
            "the clone, or make a clone of your own."
        )
    return f"{error.strerror or error}{place}."


def _port_message(host: str, port_text: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port_text} is in use. Choose another one: PORT=8010 make demo"
    if error.errno == errno.EACCES:
        return f"Port {port_text} needs root. Choose one above 1023: PORT=8010 make demo"
    return f"HOST={host} PORT={port_text} cannot be used: {error.strerror}."
