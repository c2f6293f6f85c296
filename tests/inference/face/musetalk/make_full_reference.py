"""Write full_reference.npz: what MuseTalk's own code makes of networks of the official sizes.

    python -m tests.inference.face.musetalk.make_full_reference CHECKOUT

CHECKOUT: github.com/TMElyralab/MuseTalk at 0a89dec45a0192b824e3cf4daf96c239440c5ed8. The weights
are those of full_size.py, of 850 and 84 million numbers; torchvision's Normalize is stood in for as
in make_reference.py. Takes 8 GB of memory and half a minute, on a CPU in fp32 with PyTorch 2.13.0.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.engines.face.musetalk.engine import FACE_PX
from tests.inference.face.musetalk import full_size
from tests.inference.face.musetalk.make_reference import stand_in_for_libraries


def face(folder: Path) -> dict[str, Any]:
    """One face, from the picture to the picture."""
    from musetalk.models.unet import UNet
    from musetalk.models.vae import VAE

    vae = VAE(str(folder / "sd-vae"), resized_img=FACE_PX)
    unet_path = folder / "musetalkV15" / "unet.pth"
    unet = UNet(str(unet_path.with_name("musetalk.json")), str(unet_path), device="cpu")
    pictures = [vae.preprocess_img(full_size.face(), half_mask=half) for half in (True, False)]
    with torch.inference_mode():
        modes = [vae.vae.encode(x).latent_dist.mode() * vae.scaling_factor for x in pictures]
        given = torch.cat(modes, dim=1)
        prompt = unet.pe(full_size.prompt())
        made = unet.model(given, torch.tensor([0]), encoder_hidden_states=prompt).sample
        painted = vae.decode_latents(made)
    kept = painted[:, :: full_size.STRIDE, :: full_size.STRIDE]
    return {"latents": given.numpy(), "latents_made": made.numpy(), "painted": kept}


def main(checkout: str, out: str = "") -> None:
    stand_in_for_libraries()
    sys.path.insert(0, checkout)
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
        full_size.write(Path(name))
        arrays = face(Path(name))
    target = Path(out) if out else Path(__file__).with_name("full_reference.npz")
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
