"""Write reference.npz: what MuseTalk's own code makes of the small networks in tiny.py.

    python -m tests.inference.face.musetalk.make_reference CHECKOUT

CHECKOUT: github.com/TMElyralab/MuseTalk at 0a89dec45a0192b824e3cf4daf96c239440c5ed8, with
transformers 5.23.0 and einops 0.8.2 importable. Reading of sound files and torchvision's Normalize
are replaced below; all else that runs is theirs. Made on a CPU in fp32 with PyTorch 2.13.0.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.inference.face.musetalk import tiny
from tests.inference.face.musetalk.tiny import CLIP_SECONDS, RATES, SEED, V1_RATES


class Normalize:
    """Of torchvision: (x - mean) / std for each channel."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        self.mean, self.std = torch.tensor(mean), torch.tensor(std)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean[:, None, None]) / self.std[:, None, None]


def stand_in(name: str, **members: Any) -> None:
    """A module of that name for libraries whose work is not compared."""
    module = types.ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


def windows(arrays: dict[str, Any]) -> None:
    """Which tokens each frame is given: token t has the value t + 1, and 0 is padding."""
    from musetalk.utils.audio_processor import AudioProcessor
    from musetalk.whisper.audio2feature import Audio2Feature

    class Counter:
        """Tokens of successive windows of 30 s."""

        def __init__(self) -> None:
            self.next = 1

        def encoder(self, mel: torch.Tensor, *, output_hidden_states: bool) -> Any:
            numbers = torch.arange(self.next, self.next + 1500, dtype=torch.float64)
            self.next += 1500
            return types.SimpleNamespace(hidden_states=[numbers[None, :, None]])

    cut = AudioProcessor.get_whisper_chunk
    for seconds in CLIP_SECONDS:
        length = round(seconds * 16_000)
        mels = [torch.zeros(1)] * -(-length // 480_000)
        for rate in RATES:
            made = cut(None, mels, "cpu", torch.float64, Counter(), length, fps=rate)
            arrays[f"v15_{seconds}_{rate}"] = made[:, :, 0].numpy().astype(np.int16)
        for rate in V1_RATES:
            tokens = np.zeros((length // 320, 1, 384)) + np.arange(length // 320)[:, None, None]
            slices = [
                Audio2Feature.get_sliced_feature(None, tokens, frame, fps=rate)[1]
                for frame in range(int(seconds * rate))
            ]
            arrays[f"v1_{seconds}_{rate}"] = np.array(slices, np.int16)


def features(arrays: dict[str, Any]) -> None:
    from musetalk.whisper.whisper.audio import N_FRAMES, log_mel_spectrogram, pad_or_trim
    from musetalk.whisper.whisper.model import AudioEncoder
    from transformers import WhisperConfig, WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sound = tiny.sound()
    tokens = len(sound) // 320
    mel = WhisperFeatureExtractor()(sound, sampling_rate=16_000, return_tensors="pt").input_features
    encoder = WhisperEncoder(WhisperConfig(**tiny.WHISPER)).eval()
    names = tiny.hugging_face_whisper_state("")
    state = {name.removeprefix("encoder."): value for name, value in names.items()}
    encoder.load_state_dict({k: v for k, v in state.items() if not k.startswith("decoder.")})
    with torch.no_grad():
        hidden = encoder(mel, output_hidden_states=True).hidden_states
    arrays["mel_v15"] = mel[0, ::7, ::53].numpy()
    arrays["features_v15"] = torch.stack(hidden, dim=2)[0, :tokens].numpy()

    old = AudioEncoder(80, 1500, tiny.WIDTH, 2, 4).eval()
    old.load_state_dict(tiny.whisper_state())
    mel = pad_or_trim(log_mel_spectrogram(sound), N_FRAMES)
    with torch.no_grad():
        _, embeddings = old(mel[None], include_embeddings=True)
    arrays["mel_v1"] = mel[::7, ::53].numpy()
    arrays["features_v1"] = embeddings.transpose(0, 2, 1, 3)[0, :tokens]


def faces(arrays: dict[str, Any]) -> None:
    from musetalk.models.unet import PositionalEncoding, UNet
    from musetalk.models.vae import VAE

    arrays["positions"] = PositionalEncoding(384).pe[0, :50:7].numpy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny.write_vae(folder)
        unet_path = tiny.write_unet(folder)
        vae = VAE(str(folder / "sd-vae"), resized_img=tiny.FACE_PX)
        unet = UNet(str(unet_path.with_name("musetalk.json")), str(unet_path), device="cpu")
        torch.manual_seed(SEED)
        latents = vae.get_latents_for_unet(tiny.face())
        pictures = [vae.preprocess_img(tiny.face(), half_mask=half) for half in (True, False)]
        with torch.no_grad():
            modes = [vae.vae.encode(x).latent_dist.mode() * vae.scaling_factor for x in pictures]
            prompts = PositionalEncoding(tiny.WIDTH)(tiny.prompts(1))
            given = torch.cat(modes, dim=1)
            made = unet.model(given, torch.tensor([0]), encoder_hidden_states=prompts).sample
            painted = vae.decode_latents(made)
    arrays["latents_sampled"] = latents.numpy()
    arrays["latents_mode"] = given.numpy()
    arrays["latents_made"] = made.numpy()
    arrays["painted"] = painted


def stand_in_for_libraries() -> None:
    """What MuseTalk imports and nothing here compares, and torchvision's Normalize."""
    for name in ("ffmpeg", "librosa", "soundfile", "torchvision"):
        stand_in(name)
    stand_in("torchvision.transforms", Normalize=Normalize)
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]


def main(checkout: str, out: str = "") -> None:
    stand_in_for_libraries()
    sys.path.insert(0, checkout)
    torch.set_num_threads(1)
    arrays: dict[str, Any] = {}
    with contextlib.redirect_stdout(sys.stderr):
        windows(arrays)
        features(arrays)
        faces(arrays)
    target = Path(out) if out else Path(__file__).with_name("reference.npz")
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
