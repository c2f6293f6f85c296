"""One live broadcast: `python -m inference.runner`, told what it is for on stdin."""

from __future__ import annotations

import asyncio
import logging
import sys

from inference.media.garbage import collect_rarely
from inference.runner.bootstrap import Arguments, BootstrapError, move_output, read_arguments
from inference.runner.outbox import OutboxBusyError
from inference.runner.session import Session

EXIT_BAD_START = 2


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # It tells every address of every viewer.
    logging.getLogger("aioice").setLevel(logging.WARNING)
    collect_rarely()
    try:
        arguments = read_arguments()
        move_output(arguments.bootstrap.log)
        return asyncio.run(_run(arguments))
    except (BootstrapError, OutboxBusyError) as error:
        logging.getLogger(__name__).error("cannot start: %s", error)
        return EXIT_BAD_START


async def _run(arguments: Arguments) -> int:
    return await Session(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
