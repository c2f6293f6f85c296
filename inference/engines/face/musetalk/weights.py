"""Official weights of MuseTalk and of the networks it stands on: source, licence, size, hash.

Files lie as MuseTalk's own download script puts them, so that its `models/` folder can be used.
Hashes are those in the publishers' repositories. For MuseTalk 1.0 they are not known here: those of
the first files seen are recorded.
"""

from __future__ import annotations

from typing import Final

from inference.engines.weights import WeightsFile, WeightsPart

_HUGGING_FACE: Final = "https://huggingface.co"
_MUSETALK: Final = f"{_HUGGING_FACE}/TMElyralab/MuseTalk/resolve/main"
_MUSETALK_LICENCE: Final = (
    "the authors' README allows any purpose, also commercial; the model card says CreativeML "
    "OpenRAIL-M, which asks you to keep its use restrictions"
)
_VAE: Final = (
    f"{_HUGGING_FACE}/stabilityai/sd-vae-ft-mse/resolve/31f26fdeee1355a5c34592e401dd41e45d25a493"
)
_VAE_LICENCE: Final = "MIT"
_WHISPER: Final = (
    f"{_HUGGING_FACE}/openai/whisper-tiny/resolve/169d4a4341b33bc18d8881c4b69c2e104e1cc0af"
)
_WHISPER_LICENCE: Final = "MIT (code and weights of OpenAI); the model card says Apache-2.0"
_TAESD: Final = (
    f"{_HUGGING_FACE}/madebyollin/taesd/resolve/614f76814bbe30edbe2e627ace1c2234c81a2c0e"
)


def _vae_file(name: str, size_bytes: int, sha256: str) -> WeightsFile:
    """The folder has had two names."""
    also_at = (f"sd-vae-ft-mse/{name}",)
    return WeightsFile(
        f"sd-vae/{name}", f"{_VAE}/{name}", _VAE_LICENCE, size_bytes, sha256, also_at
    )


_VAE_CONFIG: Final = _vae_file(
    "config.json", 547, "92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e"
)
_WHISPER_CONFIG: Final = WeightsFile(
    "whisper/config.json",
    f"{_WHISPER}/config.json",
    _WHISPER_LICENCE,
    1_983,
    "ffdccec4f3211f4c63310f2b7098f309fe70f3952cedc5e4d11e43f5b2379b98",
)

UNET_V15: Final = WeightsPart(
    "MuseTalk 1.5 UNet",
    "repainting the mouth, version v1.5",
    (
        (
            WeightsFile(
                "musetalkV15/musetalk.json",
                f"{_MUSETALK}/musetalkV15/musetalk.json",
                _MUSETALK_LICENCE,
                748,
                "5b6923aee04d71692e0e9846c471e0a4ea07a4f686d39545e472bd4ba17e1b47",
            ),
            WeightsFile(
                "musetalkV15/unet.pth",
                f"{_MUSETALK}/musetalkV15/unet.pth",
                _MUSETALK_LICENCE,
                3_400_074_924,
                "7ebf6c98c181e20838e4c0054e96e944ac60d5d692cc01db42839fe11b787007",
            ),
        ),
    ),
)

UNET_V1: Final = WeightsPart(
    "MuseTalk 1.0 UNet",
    "repainting the mouth, version v1",
    (
        (
            WeightsFile(
                "musetalk/musetalk.json",
                f"{_MUSETALK}/musetalk/musetalk.json",
                _MUSETALK_LICENCE,
                748,
                None,
            ),
            WeightsFile(
                "musetalk/pytorch_model.bin",
                f"{_MUSETALK}/musetalk/pytorch_model.bin",
                _MUSETALK_LICENCE,
                3_400_076_549,
                None,
            ),
        ),
    ),
)

VAE: Final = WeightsPart(
    "Stable Diffusion VAE (ft-MSE)",
    "preparing an avatar, and showing faces with the decoder `kl`",
    (
        (
            _VAE_CONFIG,
            _vae_file(
                "diffusion_pytorch_model.bin",
                334_707_217,
                "1b4889b6b1d4ce7ae320a02dedaeff1780ad77d415ea0d744b476155c6377ddc",
            ),
        ),
        (
            _VAE_CONFIG,
            _vae_file(
                "diffusion_pytorch_model.safetensors",
                334_643_276,
                "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
            ),
        ),
    ),
)

TAESD: Final = WeightsPart(
    "TAESD decoder",
    "showing faces with the decoder `tiny`, 18 times less work than `kl`",
    (
        (
            WeightsFile(
                "taesd/taesd_decoder.safetensors",
                f"{_TAESD}/taesd_decoder.safetensors",
                "MIT",
                4_895_612,
                "f0fb51dd10d41c26612c070fa0b52ea0215a5ff90792134b4971109dd713c019",
            ),
        ),
    ),
)

WHISPER: Final = WeightsPart(
    "Whisper tiny",
    "hearing the sound that the mouth follows",
    (
        (
            _WHISPER_CONFIG,
            WeightsFile(
                "whisper/pytorch_model.bin",
                f"{_WHISPER}/pytorch_model.bin",
                _WHISPER_LICENCE,
                151_095_027,
                "9607f98a2b22d9e229ae43c52ecea79dcede9e0c5cfae67e8da6eda86d8aac1d",
            ),
        ),
        (
            _WHISPER_CONFIG,
            WeightsFile(
                "whisper/model.safetensors",
                f"{_WHISPER}/model.safetensors",
                _WHISPER_LICENCE,
                151_061_672,
                "7ebd0e69e78190ffe1438491fa05cc1f5c1aa3a4c4db3bc1723adbb551ea2395",
            ),
        ),
        (
            WeightsFile(
                "whisper/tiny.pt",
                "https://openaipublic.azureedge.net/main/whisper/models/"
                "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9/tiny.pt",
                _WHISPER_LICENCE,
                75_572_083,
                "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9",
            ),
        ),
    ),
)

FACE_PARSER: Final = WeightsPart(
    "Face parser (BiSeNet)",
    "the masks raw, neck and jaw; the polygon mask needs none",
    (
        (
            WeightsFile(
                "face-parse-bisent/79999_iter.pth",
                "https://drive.google.com/uc?id=154JgKpzCPW82qINcVieuPH3fZ2e0P812",
                "code MIT; trained on CelebAMask-HQ, whose pictures are for research only",
                53_289_463,
                None,
            ),
        ),
    ),
)

PARTS: Final = (UNET_V15, UNET_V1, VAE, TAESD, WHISPER, FACE_PARSER)
