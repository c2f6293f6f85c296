"""Which MuseTalk is loaded, and on what: version, decoder, device, precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from inference.engines.base import EngineError, Json

Version = Literal["v1", "v1.5"]
Decoder = Literal["kl", "tiny"]
Precision = Literal["fp32", "fp16", "bf16"]

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "version": ("v1.5", "v1"),
    "decoder": ("kl", "tiny"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("auto", "fp32", "fp16", "bf16"),
}


@dataclass(frozen=True, slots=True)
class MuseTalkSettings:
    """device `auto`: CUDA where there is one. precision `auto`: fp16 on CUDA, fp32 on the CPU."""

    version: Version = "v1.5"
    decoder: Decoder = "kl"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"

    @classmethod
    def from_json(cls, settings: Json) -> MuseTalkSettings:
        """Of an avatar's settings. Raises EngineError that lists what is allowed."""
        for name, value in settings.items():
            allowed = _CHOICES.get(name)
            if allowed is None:
                known = ", ".join(_CHOICES)
                raise _refusal(f"MuseTalk has no setting {name!r}; it has {known}.")
            if value not in allowed:
                raise _refusal(f"{name} is {value!r}; allowed are {', '.join(allowed)}.")
        return cls(**settings)

    def resolve_device(self, *, has_cuda: bool) -> Literal["cpu", "cuda"]:
        """The device to use. Raises EngineError when CUDA is asked for and there is none."""
        if self.device == "cuda" and not has_cuda:
            raise _refusal(
                "device is 'cuda', but this machine has no CUDA GPU that PyTorch can use."
            )
        if self.device == "auto":
            return "cuda" if has_cuda else "cpu"
        return self.device

    def resolve_precision(self, device: str) -> Precision:
        """The precision to use on `device`."""
        if self.precision == "auto":
            return "fp16" if device == "cuda" else "fp32"
        return self.precision


def _refusal(message: str) -> EngineError:
    return EngineError("bad_avatar_setting", message, retryable=False)
