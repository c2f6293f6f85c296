"""Stands where a runner stands, with a child that notices nothing: neither signals nor an end.

Writes the child's pid next to its log.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHILD = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"


def main() -> None:
    document = json.loads(sys.stdin.buffer.readline())
    child = subprocess.Popen([sys.executable, "-c", CHILD])
    target = Path(document["run_folder"]) / "child.pid"
    draft = target.with_suffix(".draft")
    draft.write_text(str(child.pid))
    draft.rename(target)
    child.wait()


if __name__ == "__main__":
    main()
