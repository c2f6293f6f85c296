"""Play a show in Chromium, told by the caller how; run inside a network namespace by a test.

`python -m tests.live.alone` brings loopback up, starts a site and a browser, and prints as JSON
what was played.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import sys
from dataclasses import asdict
from typing import Final

_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS, netdevice(7)
_UP: Final = 0x1
# By itself Chromium gathers no candidate on loopback, and hides those it has behind multicast DNS,
# which needs another interface.
_OWN_LOOPBACK: Final = (
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


def bring_loopback_up() -> None:
    """A new network namespace has a loopback interface that is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", _UP)
        fcntl.ioctl(any_socket, _SET_FLAGS, request)


def main() -> int:
    bring_loopback_up()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    # Settings are read when these are imported.
    from scripts.provision.tools import find_chromium
    from tests.live.studio import open_studio
    from tests.live.viewing import open_browser, open_page, wait_for_playing

    with open_studio() as studio, open_browser(find_chromium(), *_OWN_LOOPBACK) as browser:
        show = studio.make_small_show(rundown_mode="loop")
        with studio.platform.on_air(show) as broadcast:
            page = open_page(browser, studio.platform.broadcast(broadcast)["watch_url"])
            page.get_by_test_id("turn-on-sound").click()
            played = wait_for_playing(
                page, lambda now: now.frames >= 50 and now.sound_energy > 0, "picture and sound"
            )
    interfaces = [name for _, name in socket.if_nameindex()]
    sys.stdout.write(json.dumps({**asdict(played), "interfaces": interfaces}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
