"""Which pixels of a picture are face, by the network that MuseTalk asks: masks raw, neck and jaw.

BiSeNet (Yu and others, arXiv 1808.00897) with a ResNet-18, as face-parsing.PyTorch has it (MIT).
Its published weights were trained on CelebAMask-HQ, whose pictures are not for commercial use: so
presenters are built with the polygon along the jaw unless another mask is asked for.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from inference.engines.face.musetalk import checkpoints
from inference.engines.face.musetalk.bundle import Pixels
from inference.engines.face.musetalk.masks import SIDE_PX, region_of_labels
from inference.engines.face.musetalk.weights import FACE_PARSER
from inference.engines.weights import WeightsFolder, WeightsPart

_CLASSES: Final = 19
# Of ImageNet, RGB.
_MEAN: Final = (0.485, 0.456, 0.406)
_SPREAD: Final = (0.229, 0.224, 0.225)


class FaceParser:
    """Regions of faces, for `geometry.soft_mask`."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self._network = network
        self._device = device

    def region(self, crop: Pixels, mode: str, version: str) -> Pixels:
        """255 on the face in a square crop: (side, side) uint8. crop: (side, side, 3) BGR."""
        side = crop.shape[0]
        size = (SIDE_PX, SIDE_PX)
        image = Image.fromarray(crop[:, :, ::-1]).resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(image, np.float32) / 255
        scaled = (pixels - np.array(_MEAN, np.float32)) / np.array(_SPREAD, np.float32)
        given = torch.from_numpy(scaled.transpose(2, 0, 1).copy())[None].to(self._device)
        with torch.inference_mode():
            labels = self._network(given)[0].argmax(0)
        return region_of_labels(labels.cpu().numpy().astype(np.uint8), mode, version, side)


def load_parser(folder: WeightsFolder, part: WeightsPart = FACE_PARSER) -> FaceParser:
    """Raises WeightsError that names the file, its source and its licence."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    (path,) = folder.find(part)
    with torch.device("meta"):
        network = BiSeNet()
    checkpoints.fill(network, checkpoints.read_state(path), path)
    return FaceParser(network.to(device), device)


def crop_of_picture(frame: Pixels, crop: tuple[int, int, int, int]) -> Pixels:
    """A crop of an I420 picture, BGR; black where it reaches out, as Pillow's crop is."""
    x0, y0, x1, y1 = crop
    image = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_YUV2BGR_I420)
    height, width = image.shape[:2]
    inside = image[max(0, y0) : y1, max(0, x0) : x1]
    edges = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    return np.asarray(cv2.copyMakeBorder(inside, *edges, cv2.BORDER_CONSTANT), np.uint8)


class _Convolution(nn.Module):
    def __init__(self, given: int, made: int, size: int = 3, padding: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, made, size, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(made)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    def __init__(self, given: int, made: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, made, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(made)
        self.conv2 = nn.Conv2d(made, made, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(made)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(given, made, 1, stride, bias=False), nn.BatchNorm2d(made)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        kept = x if self.downsample is None else self.downsample(x)
        return functional.relu(inner + kept)


class _ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for number, (given, made) in enumerate(zip(widths, widths[1:], strict=False), 1):
            blocks = _Block(given, made, 1 if number == 1 else 2), _Block(made, made, 1)
            self.add_module(f"layer{number}", nn.Sequential(*blocks))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features at 1/8, 1/16 and 1/32 of the picture."""
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        made = []
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
            made.append(x)
        return made[1:]


class _Attention(nn.Module):
    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.conv = _Convolution(given, made)
        self.conv_atten = nn.Conv2d(made, made, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(made)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        weight = functional.avg_pool2d(x, x.shape[2:])
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(weight)))


class _ContextPath(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.resnet = _ResNet18()
        self.arm16, self.arm32 = _Attention(256, 128), _Attention(512, 128)
        self.conv_head32, self.conv_head16 = _Convolution(128, 128), _Convolution(128, 128)
        self.conv_avg = _Convolution(512, 128, 1, 0)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        eighth, sixteenth, last = self.resnet(x)
        whole = self.conv_avg(functional.avg_pool2d(last, last.shape[2:]))
        coarse = self.arm32(last) + whole
        coarse = self.conv_head32(functional.interpolate(coarse, sixteenth.shape[2:]))
        fine = self.arm16(sixteenth) + coarse
        return eighth, self.conv_head16(functional.interpolate(fine, eighth.shape[2:]))


class _Fusion(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convblk = _Convolution(256, 256, 1, 0)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, spatial: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        x = self.convblk(torch.cat([spatial, context], dim=1))
        weight = functional.relu(self.conv1(functional.avg_pool2d(x, x.shape[2:])))
        made: torch.Tensor = x + x * torch.sigmoid(self.conv2(weight))
        return made


class _Output(nn.Module):
    def __init__(self, given: int, inner: int) -> None:
        super().__init__()
        self.conv = _Convolution(given, inner)
        self.conv_out = nn.Conv2d(inner, _CLASSES, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.conv_out(self.conv(x))
        return made


class BiSeNet(nn.Module):
    """(n, 3, height, width) → (n, 19, height, width). Two more outputs serve its training alone."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = _ContextPath()
        self.ffm = _Fusion()
        self.conv_out = _Output(256, 256)
        self.conv_out16, self.conv_out32 = _Output(128, 64), _Output(128, 64)

    def forward(self, x: torch.Tensor) -> Any:
        made = self.conv_out(self.ffm(*self.cp(x)))
        return functional.interpolate(made, x.shape[2:], mode="bilinear", align_corners=True)
