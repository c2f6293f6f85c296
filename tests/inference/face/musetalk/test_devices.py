"""Nothing of a pass is left on another device: the official sizes without values, on `meta`.

Whatever is made on the processor and meets what is on the device ends a pass on a GPU; here too.
"""

from __future__ import annotations

import pytest
import torch
from whisper.model import AudioEncoder

from benchmarks.neural_networks import WHISPER_TINY, make_random
from inference.engines.face.musetalk.speech_features import SpeechFeatures
from inference.engines.face.musetalk.windows import cut_prompts

pytestmark = pytest.mark.filterwarnings("ignore:There are modules in")


@pytest.mark.parametrize("decoder", ["kl", "tiny"])
@pytest.mark.parametrize(
    "dtype", [torch.float16, pytest.param(torch.bfloat16, marks=pytest.mark.long)]
)
def test_a_pass_of_each_size_stays_on_its_device(decoder: str, dtype: torch.dtype) -> None:
    painter = make_random(decoder, "meta", dtype).painter

    for bucket in (1, 4, 32):
        latents = torch.empty(bucket, 8, 32, 32, dtype=torch.float16, device="meta")
        prompts = torch.empty(bucket, 50, 384, dtype=dtype, device="meta")
        faces = painter.paint_on_device(latents, prompts)

        assert (faces.shape, faces.dtype) == ((bucket, 256, 256, 3), torch.uint8)
        assert faces.device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_hearing_stays_on_its_device_and_in_its_numbers(dtype: torch.dtype) -> None:
    with torch.device("meta"):
        features = SpeechFeatures(AudioEncoder(*WHISPER_TINY).eval(), "v1.5", dtype)
        mel = torch.empty(4, 80, 3000, dtype=dtype)

    tokens = torch.stack(features._hidden_layers(mel), dim=2)
    prompts = cut_prompts(tokens[0], 0, range(4), 1920, "v1.5")

    assert tokens.shape == (4, 1500, 5, 384)
    assert prompts.shape == (4, 50, 384)
    assert {tokens.dtype, prompts.dtype} == {dtype}
    assert {tokens.device.type, prompts.device.type} == {"meta"}
