"""Running child programs, and remembering what has been done."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .failures import BootstrapError, explain
from .paths import ROOT


def say(text: str) -> None:
    print(text, flush=True)


def run_quietly(
    step: str,
    command: Sequence[str | Path],
    *,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run `command`, keep its output to itself and return it. Raises BootstrapError in one line."""
    say(f"  {step} …")
    started = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        say(done.stdout[-4000:])
        raise BootstrapError(explain(step, done.stdout))
    say(f"  {step}: {time.monotonic() - started:.0f} s")
    return done.stdout


def digest(paths: Iterable[Path], *extra: str) -> str:
    """Hash of names and contents; the same files in another order give the same hash."""
    total = hashlib.sha256("\0".join(extra).encode())
    for path in sorted(paths):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def is_stamped(stamp: Path, value: str) -> bool:
    """Whether `stamp` says that the step was finished with exactly this input."""
    return stamp.is_file() and stamp.read_text() == value


def write_stamp(stamp: Path, value: str) -> None:
    """Remember a finished step; atomic, so that a full disk leaves no false stamp."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    draft = stamp.with_suffix(".new")
    draft.write_text(value)
    draft.replace(stamp)
