"""What of our environment reaches a child: ours holds keys and the password of the database."""

from __future__ import annotations

import os
from typing import Final

NAMES: Final = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CACHE_HOME",
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)


def child_environment(*more: str) -> dict[str, str]:
    """The environment for a child, with the variables named besides. No secret is among NAMES."""
    return {name: os.environ[name] for name in (*NAMES, *more) if name in os.environ}
