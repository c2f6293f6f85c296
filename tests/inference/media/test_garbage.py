"""The garbage collector of a media process."""

from __future__ import annotations

import subprocess
import sys


def test_collector_forgets_what_was_imported_and_looks_rarely() -> None:
    program = (
        "import gc\n"
        "from inference.media.garbage import collect_rarely\n"
        "before = gc.get_threshold()[0]\n"
        "collect_rarely()\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 1000\n"
        "assert gc.get_threshold()[0] > 10 * before\n"
        "class Ring: pass\n"
        "import weakref\n"
        "ring = Ring(); ring.itself = ring; seen = weakref.ref(ring); del ring\n"
        "rubbish = [[] for _ in range(30_000)]\n"
        "assert seen() is None\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
