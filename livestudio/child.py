"""A child of `manage.py up` that ends by itself when its parent is gone, however that died.

`python -m livestudio.child --life-fd N daphne …` runs Daphne so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Final

from daphne.cli import CommandLineInterface

from livestudio.common.life import watch_life

GRACE_SECONDS: Final = 5.0


def main(arguments: list[str]) -> None:
    """Daphne with the life pipe of its parent."""
    flag, life_fd, program, *rest = arguments
    if (flag, program) != ("--life-fd", "daphne"):
        sys.exit("usage: python -m livestudio.child --life-fd N daphne …")
    os.set_inheritable(int(life_fd), False)
    watch_life(int(life_fd), end)
    CommandLineInterface().run(rest)


def end() -> None:
    """Ask the server to close; insist after GRACE_SECONDS."""
    os.kill(os.getpid(), signal.SIGTERM)
    timer = threading.Timer(GRACE_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    main(sys.argv[1:])
