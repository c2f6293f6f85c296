"""How a runner is told what it is for: one JSON line on stdin or in a secret file.

Nothing secret is ever in argv or in the environment, where other processes could read it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from inference.protocol import ProtocolError, decode

MAX_BYTES: Final = 64 * 1024


class BootstrapError(Exception):
    """The runner was not told what it needs; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """broadcast, lease_epoch and token name the run; web_url is the web side's base address.

    log: the file that all output goes to from now on; empty = it stays where it is.
    """

    broadcast: str
    lease_epoch: int
    token: str = field(repr=False)
    web_url: str
    run_folder: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class Arguments:
    """life_fd: the read end of the life pipe, None without one."""

    bootstrap: Bootstrap
    life_fd: int | None


def read_arguments(argv: list[str] | None = None, stdin: BinaryIO | None = None) -> Arguments:
    """The command line and the bootstrap document. Raises BootstrapError."""
    parser = argparse.ArgumentParser(prog="python -m inference.runner", allow_abbrev=False)
    parser.add_argument("--life-fd", type=int, default=None, help="read end of the life pipe")
    parser.add_argument("--secret-file", type=Path, default=None, help="instead of stdin")
    options = parser.parse_args(argv)
    if options.secret_file is not None:
        raw = _read_secret_file(options.secret_file)
    else:
        raw = (stdin or sys.stdin.buffer).readline(MAX_BYTES)
    return Arguments(parse_bootstrap(raw), options.life_fd)


def move_output(log: str) -> None:
    """Let stdout and stderr, of this process and its children, append to a file from now on."""
    if not log:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def parse_bootstrap(raw: bytes) -> Bootstrap:
    """The bootstrap document of one JSON line. Raises BootstrapError."""
    if not raw:
        raise BootstrapError("no bootstrap document came; whoever started this runner has gone")
    try:
        return decode(Bootstrap, json.loads(raw))
    except ProtocolError as error:
        raise BootstrapError(f"the bootstrap document is incomplete: {error}") from error
    except ValueError as error:
        # The error's text could quote the token.
        raise BootstrapError("the bootstrap document is not one line of JSON") from error


def _read_secret_file(path: Path) -> bytes:
    try:
        return path.read_bytes()[:MAX_BYTES]
    except OSError as error:
        raise BootstrapError(f"the secret file cannot be read: {error.strerror}") from error
