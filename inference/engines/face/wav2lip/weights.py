"""Weights of Wav2Lip at 256 px: source, licence, size, hash."""

from __future__ import annotations

from typing import Final

from inference.engines.weights import WeightsFile, WeightsPart

GENERATOR: Final = WeightsPart(
    "Wav2Lip 256",
    "repainting the mouth with the engine `wav2lip256`",
    (
        (
            WeightsFile(
                "wav2lip/wav2lip256.pth",
                "https://github.com/lipku/LiveTalking (README: wav2lip256.pth)",
                "stated nowhere by those who publish it; the original weights of Wav2Lip, trained "
                "on BBC's LRS2, strictly forbid commercial use: ask before you go on air",
                # 53.6 million numbers in fp32; the publisher tells neither size nor hash.
                214_900_000,
                None,
                also_at=("wav2lip256.pth", "wav2lip.pth"),
            ),
        ),
    ),
)

PARTS: Final = (GENERATOR,)
