"""A process that stands where a runner stands: reads its document, then waits to be told to end.

Writes what it can see of itself next to its log, for the test to look at.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(3)
    document = json.loads(line)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    seen = {
        "argv": sys.argv,
        "environ": dict(os.environ),
        "document": document,
        "session": os.getsid(0) == os.getpid(),
    }
    target = Path(document["run_folder"]) / "seen.json"
    draft = target.with_suffix(".draft")
    draft.write_text(json.dumps(seen))
    draft.rename(target)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main()
