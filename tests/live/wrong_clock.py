"""`manage.py` on a machine whose clock is wrong: CLOCK_FILE holds by how many seconds, at any time.

Only what the program itself reads as the time of day is wrong; its children have the right one.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from django.utils import timezone

ROOT = Path(__file__).resolve().parents[2]
_right_time = time.time


def wrong_by() -> float:
    """Seconds, positive where the clock is fast."""
    return float(Path(os.environ["CLOCK_FILE"]).read_text() or 0)


def main() -> None:
    """Set the clock of this process, then run `manage.py` with the same arguments."""
    time.time = lambda: _right_time() + wrong_by()
    timezone.now = lambda: datetime.fromtimestamp(time.time(), UTC)
    sys.path.insert(0, str(ROOT))
    runpy.run_path(str(ROOT / "manage.py"), run_name="__main__")


if __name__ == "__main__":
    main()
