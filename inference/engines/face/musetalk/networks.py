"""The networks of MuseTalk, loaded from official weights: nothing is ever left at random.

UNet and autoencoder are those of Stable Diffusion 1 (Rombach and others, arXiv 2112.10752) in
diffusers; TAESD is a distilled decoder of the same latents (Bohan, MIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from whisper.model import AudioEncoder

from inference.engines.face.musetalk import checkpoints
from inference.engines.face.musetalk.faces import (
    PROMPT_TOKENS,
    FaceDecoder,
    FaceEncoder,
    FacePainter,
)
from inference.engines.face.musetalk.settings import MuseTalkSettings
from inference.engines.face.musetalk.spans import TOKENS_PER_FRAME
from inference.engines.face.musetalk.speech_features import SpeechFeatures
from inference.engines.face.musetalk.weights import PARTS, TAESD, UNET_V1, UNET_V15, VAE, WHISPER
from inference.engines.weights import WeightsFolder, WeightsPart

_DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# What the UNet sees: masked and reference latents, and the latents that it makes.
_UNET_CHANNELS: Final = (8, 4)
_LATENT_CHANNELS: Final = 4
# MuseTalk was trained on Whisper `tiny`.
_WHISPER_LAYERS: Final = PROMPT_TOKENS // TOKENS_PER_FRAME


@dataclass(frozen=True, slots=True)
class Networks:
    """What a show needs: features of the sound, and faces from them."""

    features: SpeechFeatures
    painter: FacePainter


class NetworkLoader:
    """Loads each network from a weights folder onto one device in one precision."""

    def __init__(
        self,
        folder: WeightsFolder,
        settings: MuseTalkSettings,
        parts: tuple[WeightsPart, ...] = PARTS,
    ) -> None:
        """parts: which files are accepted. Raises EngineError when the device is not there."""
        self._folder = folder
        self._settings = settings
        self._parts = {part.name: part for part in parts}
        self.device = settings.resolve_device(has_cuda=torch.cuda.is_available())
        self.dtype = _DTYPES[settings.resolve_precision(self.device)]

    def load(self) -> Networks:
        """For a show. Raises WeightsError that names the file, its source and its licence."""
        unet = self.load_unet()
        features = self.load_features()
        self._check_fit(unet, features)
        decoder = self.load_decoder()
        return Networks(features, FacePainter(unet, decoder))

    def load_unet(self) -> UNet2DConditionModel:
        """The UNet of the version in the settings: a plain state dict beside its JSON."""
        part = UNET_V1 if self._settings.version == "v1" else UNET_V15
        config_path, path = self._find(part)
        unet = self._build(UNet2DConditionModel, config_path)
        if (unet.config.in_channels, unet.config.out_channels) != _UNET_CHANNELS:
            raise checkpoints.unreadable(config_path, "it is not a UNet of MuseTalk")
        return self._fill(unet, checkpoints.read_state(path), path)

    def load_encoder(self) -> FaceEncoder:
        """What prepares an avatar."""
        return FaceEncoder(self._load_vae())

    def load_decoder(self) -> FaceDecoder:
        """What shows faces: the full decoder or the distilled one."""
        if self._settings.decoder == "kl":
            vae = self._load_vae()
            scale = vae.config.scaling_factor
            return FaceDecoder(lambda latents: vae.decode(latents).sample, scale)
        (path,) = self._find(TAESD)
        with torch.device("meta"):
            decoder = AutoencoderTiny().decoder
        state = checkpoints.rename_taesd_decoder(checkpoints.read_state(path))
        # It takes latents as the UNet makes them, scaled.
        return FaceDecoder(self._fill(decoder, state, path), 1.0)

    def load_features(self) -> SpeechFeatures:
        """Whisper's encoder; its weights stay in fp32, as openai-whisper has them."""
        *configs, path = self._find(WHISPER)
        content = checkpoints.read_file(path)
        settings = checkpoints.read_config(configs[0]) if configs else content.get("dims", {})
        dimensions = checkpoints.whisper_dimensions(settings, configs[0] if configs else path)
        with torch.device("meta"):
            encoder = AudioEncoder(**dimensions)
        state = checkpoints.whisper_encoder_state(content, path)
        checkpoints.fill(encoder, {name: value.float() for name, value in state.items()}, path)
        return SpeechFeatures(encoder.to(self.device), self._settings.version, self.dtype)

    def _load_vae(self) -> AutoencoderKL:
        config_path, path = self._find(VAE)
        vae = self._build(AutoencoderKL, config_path)
        if vae.config.latent_channels != _LATENT_CHANNELS:
            raise checkpoints.unreadable(config_path, "it is not the autoencoder of MuseTalk")
        return self._fill(vae, checkpoints.rename_vae(checkpoints.read_state(path)), path)

    def _find(self, part: WeightsPart) -> list[Path]:
        """The files of a part, a JSON before its weights, as its choices list them."""
        return self._folder.find(self._parts[part.name])

    def _build(self, network: Any, config_path: Path) -> Any:
        config = checkpoints.read_config(config_path)
        try:
            with torch.device("meta"):
                return network.from_config(config)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise checkpoints.unreadable(config_path, error) from error

    def _fill(self, network: Any, state: checkpoints.State, path: Path) -> Any:
        # The file is mapped, so what is not converted takes no memory of its own.
        converted = {name: value.to(self.dtype) for name, value in state.items()}
        checkpoints.fill(network, converted, path)
        network = network.to(self.device)
        # Tensor cores want it; a processor gains nothing, and keeps the reference's sums.
        return network.to(memory_format=torch.channels_last) if self.device == "cuda" else network

    def _check_fit(self, unet: UNet2DConditionModel, features: SpeechFeatures) -> None:
        """The UNet takes any number of tokens: with another Whisper it would only look wrong."""
        if unet.config.cross_attention_dim != features.width or features.layers != _WHISPER_LAYERS:
            *_, path = self._find(WHISPER)
            wanted = f"{_WHISPER_LAYERS} layers of {unet.config.cross_attention_dim}"
            reason = f"MuseTalk needs {wanted}, this has {features.layers} of {features.width}"
            raise checkpoints.unreadable(path, reason)
