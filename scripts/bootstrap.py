#!/usr/bin/env python3
"""Set up and run LiveStudio from a clean clone: `bootstrap.py demo | test | test-long`.

Standard library only. Safe to repeat: each step leaves a stamp and is skipped while it is true.
"""

# No annotations import and no new syntax here: an old Python must get as far as our message.
import os
import shutil
import sys

NEEDED = (3, 11)
NEWER = ("python3.11", "python3.12", "python3.13")

if sys.version_info < NEEDED:
    for name in NEWER:
        found = shutil.which(name)
        if found:
            os.execv(found, [found] + sys.argv)  # noqa: RUF005 - Python 2 must read this line, too
    sys.exit(
        "LiveStudio needs Python 3.11 or newer; this is {}.{}. Install one and run it again with "
        "that: python3.11 scripts/bootstrap.py demo".format(*sys.version_info[:2])
    )

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from provision.main import main  # noqa: E402 - only after the version check above

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
