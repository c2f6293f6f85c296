"""What a device is called where people read it."""

from __future__ import annotations

import torch


def name_device(device: torch.device) -> str:
    """The GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"
