"""The generator of Wav2Lip at 256 px: a face and 200 ms of sound in, the face with that mouth out.

Prajwal and others, "A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild",
arXiv 2008.10010, with one more stage of convolutions for 256 px. Names and shapes of the weights
are those of `wav2lip256.pth`: 380 tensors, 53.6 million numbers. Its licence is not stated by those
who publish it; the original weights of Wav2Lip forbid commercial use.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

FACE_PX: Final = 256
MEL_BANDS: Final = 80
MEL_STEPS: Final = 16

# Channels, kernel, stride and padding of the first convolution of each stage, and how many residual
# ones of 3 by 3 follow.
_Stage = tuple[int, int, int | tuple[int, int], int, int]
_FACE: Final[tuple[_Stage, ...]] = (
    (16, 7, 1, 3, 0), (32, 3, 2, 1, 2), (64, 3, 2, 1, 3), (128, 3, 2, 1, 2), (256, 3, 2, 1, 2),
    (512, 3, 2, 1, 1), (512, 3, 2, 1, 1), (512, 4, 1, 0, 0),
)  # fmt: skip
_SOUND: Final[tuple[_Stage, ...]] = (
    (32, 3, 1, 1, 2), (64, 3, (3, 1), 1, 2), (128, 3, 3, 1, 2), (256, 3, (3, 2), 1, 1),
    (512, 3, 1, 0, 0),
)  # fmt: skip
# Channels and residual convolutions of each stage that widens; the first one only mixes.
_WIDENING: Final = ((512, 0), (512, 1), (512, 1), (512, 2), (384, 2), (256, 2), (128, 2), (64, 2))
_LAST: Final = 32


class Block(nn.Module):
    """Convolution, normalisation, ReLU; `residual`: with what came in added before."""

    def __init__(self, layer: nn.Module, channels: int, *, residual: bool = False) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(layer, nn.BatchNorm2d(channels))
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.conv_block(x)
        return torch.relu(made + x if self.residual else made)


class Wav2Lip256(nn.Module):
    """(n, 1, 80, 16) mel and (n, 6, 256, 256) faces, 0..1 BGR: (n, 3, 256, 256), 0..1 BGR.

    The first three channels of a face are its upper half, the last three all of it.
    narrower: divides all channels, for a small network of the same form.
    """

    def __init__(self, narrower: int = 1) -> None:
        super().__init__()
        self.face_encoder_blocks = nn.ModuleList(_face_stages(narrower))
        self.audio_encoder = nn.Sequential(*_sound_blocks(narrower))
        self.face_decoder_blocks = nn.ModuleList(_widening_stages(narrower))
        seen = _WIDENING[-1][0] // narrower + _FACE[0][0] // narrower
        last = _LAST // narrower
        self.output_block = nn.Sequential(
            Block(nn.Conv2d(seen, last, 3, 1, 1), last), nn.Conv2d(last, 3, 1), nn.Sigmoid()
        )

    def forward(self, mel: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
        seen = []
        x = faces
        for stage in self.face_encoder_blocks:
            x = stage(x)
            seen.append(x)
        x = self.audio_encoder(mel)
        for stage in self.face_decoder_blocks:
            x = torch.cat([stage(x), seen.pop()], dim=1)
        painted: torch.Tensor = self.output_block(x)
        return painted


def _face_stages(narrower: int) -> list[nn.Module]:
    before, stages = 6, []
    for stage in _FACE:
        blocks = _stage(before, stage, narrower)
        before = stage[0] // narrower
        stages.append(nn.Sequential(*blocks))
    # At one px nothing lies beside: the second convolution is of 1 by 1, and not residual.
    stages[-1].append(Block(nn.Conv2d(before, before, 1), before))
    return list(stages)


def _sound_blocks(narrower: int) -> list[nn.Module]:
    before, blocks = 1, []
    for stage in _SOUND:
        blocks += _stage(before, stage, narrower)
        before = stage[0] // narrower
    return [*blocks, Block(nn.Conv2d(before, before, 1), before)]


def _widening_stages(narrower: int) -> list[nn.Module]:
    """Each stage takes the one before it beside what the face was at its size."""
    seen = [stage[0] // narrower for stage in _FACE]
    before, stages = _SOUND[-1][0] // narrower, []
    for number, (channels, residuals) in enumerate(_WIDENING):
        made = channels // narrower
        first = _widening(number, before, made)
        blocks = [Block(first, made), *(_residual(made) for _ in range(residuals))]
        stages.append(nn.Sequential(*blocks))
        before = made + seen.pop()
    return list(stages)


def _widening(number: int, before: int, made: int) -> nn.Module:
    if number == 0:
        return nn.Conv2d(before, made, 1)
    if number == 1:
        return nn.ConvTranspose2d(before, made, 4, 1, 0)
    return nn.ConvTranspose2d(before, made, 3, 2, 1, 1)


def _stage(before: int, stage: _Stage, narrower: int) -> list[nn.Module]:
    channels, kernel, stride, padding, residuals = stage
    made = channels // narrower
    first = Block(nn.Conv2d(before, made, kernel, stride, padding), made)
    return [first, *(_residual(made) for _ in range(residuals))]


def _residual(channels: int) -> Block:
    return Block(nn.Conv2d(channels, channels, 3, 1, 1), channels, residual=True)
