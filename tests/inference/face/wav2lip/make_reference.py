"""Write reference.npz: what LiveTalking's own code makes of formula weights and a formula sound.

    python -m tests.inference.face.wav2lip.make_reference CHECKOUT [OUT]

CHECKOUT: github.com/lipku/LiveTalking at a5a77f4. Its mel needs librosa and scipy; they are stood
in for below by their documented formulas (librosa 0.11: `stft` with zero padding, `filters.mel` of
Slaney), everything else that runs is theirs. Made on a CPU with PyTorch 2.13.0. The network runs in
double precision: weights by formula make each rounding of fp32 a thousand times larger on its way
through it, so that another number of threads alone changes what is painted by 0.006.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inference.engines.face.wav2lip.tiny import fill_by_formula

SEED_SHAPE = (2, 1, 80, 16), (2, 6, 256, 256)
# Every so many px of the painted faces are kept.
STRIDE = 8


def sound(seconds: float = 1.5) -> np.ndarray[Any, Any]:
    """(n,) float32 at 16 kHz: a rising tone that comes and goes."""
    at = np.arange(int(seconds * 16_000)) / 16_000
    loud = 0.4 * np.maximum(0, np.sin(2 * np.pi * 1.7 * at))
    return (loud * np.sin(2 * np.pi * (180 * at + 320 * at**2))).astype(np.float32)


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Mel and faces by formula, in double precision."""
    mel, faces = (torch.arange(int(np.prod(shape)), dtype=torch.float64).reshape(shape)
                  for shape in SEED_SHAPE)  # fmt: skip
    return 4 * torch.sin(mel * 0.37), 0.5 + 0.5 * torch.sin(faces * 0.011)


def _stft(y: Any, n_fft: int, hop_length: int, win_length: int) -> Any:
    padded = np.pad(y, n_fft // 2)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win_length) / win_length)
    count = 1 + (len(padded) - n_fft) // hop_length
    parts = [padded[k * hop_length : k * hop_length + n_fft] * hann for k in range(count)]
    return np.fft.rfft(np.stack(parts), axis=1).T


def _filters(sr: float, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Any:
    def to_mel(hertz: float) -> float:
        return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)

    def to_hertz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)

    edges = [to_hertz(m) for m in np.linspace(to_mel(fmin), to_mel(fmax), n_mels + 2)]
    made = np.zeros((n_mels, n_fft // 2 + 1))
    for band in range(n_mels):
        low, middle, high = edges[band : band + 3]
        for place in range(n_fft // 2 + 1):
            hertz = place * sr / n_fft
            up, down = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
            made[band, place] = max(0.0, min(up, down)) * 2 / (high - low)
    return made


def _lfilter(b: list[float], a: list[float], x: Any) -> Any:
    return b[0] * x + b[1] * np.concatenate([[0], x[:-1]])


def stand_in(checkout: Path) -> None:
    """Modules of libraries whose work is not compared, and the way to theirs."""
    librosa, scipy = types.ModuleType("librosa"), types.ModuleType("scipy")
    vars(librosa).update(stft=_stft, filters=types.SimpleNamespace(mel=_filters))
    vars(scipy).update(signal=types.SimpleNamespace(lfilter=_lfilter), io=None)
    io = types.ModuleType("scipy.io")
    vars(io).update(wavfile=None)
    filters = types.ModuleType("librosa.filters")
    sys.modules |= {"librosa": librosa, "librosa.filters": filters, "scipy": scipy, "scipy.io": io}
    sys.path.insert(0, str(checkout))


def reference(checkout: Path) -> dict[str, Any]:
    """Arrays of their code."""
    stand_in(checkout)
    audio = importlib.import_module("avatars.wav2lip.audio")
    theirs = importlib.import_module("avatars.wav2lip.models.wav2lip_v2").Wav2Lip()
    fill_by_formula(theirs)
    mel, faces = inputs()
    with torch.inference_mode():
        painted = theirs.double().eval()(mel, faces)
    names = [f"{name} {tuple(value.shape)}" for name, value in theirs.state_dict().items()]
    return {
        "mel": audio.melspectrogram(sound()).astype(np.float32),
        "painted": painted[:, :, ::STRIDE, ::STRIDE].float().numpy(),
        "names": np.array(names),
    }


if __name__ == "__main__":
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_name("reference.npz")
    np.savez_compressed(out, **reference(Path(sys.argv[1])))
