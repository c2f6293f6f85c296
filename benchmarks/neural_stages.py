"""What each network costs, alone and as the path of a face: `python -m benchmarks.neural_stages`.

On a GPU the whole matrix: {UNet, KL decoder, tiny decoder, Whisper} x {fp16, bf16} x {contiguous,
channels_last} x {eager, CUDA graph, compile} x batches of 1 to 32, in networks of the official
sizes with random weights:
    python -m benchmarks.neural_stages --device cuda --json figures.json
On a processor (the default) fp32 and bf16, eager, batches of 1 and 4, few rounds: it says how far a
machine without a GPU gets, not what a GPU does. `--only unet,tiny` leaves stages out, `--hows
eager,graph` the compiling, which takes minutes for a stage and batch.

Beside the path, in the same run and of the same weights, the loop of MuseTalk's scripts as it
stands there: eager, contiguous, and pictures that leave as floating point. Shares are of the
ceiling that a large matrix product or a large convolution reaches in the same run, at the work
that was counted once with PyTorch's FlopCounterMode (2 FLOP a multiply-add; attention as plain
products).
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from torch.nn.functional import conv2d
from whisper.model import AudioEncoder

from benchmarks.neural_networks import FULL_UNET, FULL_VAE, WHISPER_TINY
from inference.engines.face.musetalk.faces import FaceDecoder, FacePainter, encode_positions

# GFLOP of one frame, of one window of 30 s for Whisper.
WORK: Final = {"unet": 177.8, "kl": 622.2, "tiny": 35.3, "whisper": 36.9}
DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
LAYOUTS: Final = ("contiguous", "channels_last")
HOWS: Final = ("eager", "graph", "compile")
LATENT_PX, PROMPT = 32, (50, 384)
REFERENCE: Final = "MuseTalk"
TARGET_TIMES: Final = 5.0
_PRODUCT: Final = {"cuda": 8192, "cpu": 2048}
# Channels and side of the largest layers of the KL decoder.
_CONVOLUTION: Final = (256, 256)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. ms: of one call, the best and the median. share: of the ceiling."""

    stage: str
    dtype: str
    layout: str
    how: str
    batch: int
    best_ms: float
    median_ms: float
    per_second: float
    share: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A combination that this machine cannot do: no memory for it, or no compiler."""

    stage: str
    dtype: str
    layout: str
    how: str
    batch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    device: str
    dtypes: tuple[str, ...]
    layouts: tuple[str, ...]
    hows: tuple[str, ...]
    batches: tuple[int, ...]
    rounds: int


PLANS: Final = {
    "cuda": Plan(
        "cuda", ("fp16", "bf16"), LAYOUTS, HOWS, (1, 2, 4, 8, 16, 32), 30,
    ),
    "cpu": Plan("cpu", ("fp32", "bf16"), LAYOUTS, ("eager",), (1, 4), 3),
}  # fmt: skip


def main() -> None:
    options = _parse()
    plan = PLANS[options.device]
    plan = replace(
        plan,
        dtypes=options.dtypes or plan.dtypes,
        layouts=options.layouts or plan.layouts,
        hows=options.hows or plan.hows,
    )
    # As on air.
    torch.backends.cudnn.benchmark = plan.device == "cuda"
    print(
        f"{_machine(options.device)}; random weights, so activations are not those of trained ones"
    )
    ceilings = {name: ceiling(plan.device, DTYPES[name]) for name in plan.dtypes}
    for name, tflops in ceilings.items():
        print(f"ceiling, {name}: {tflops:.2f} TFLOP/s")
    print(
        f"{'stage':10} {'dtype':5} {'layout':13} {'how':8} batch   best ms median ms     /s  share"
    )
    rows: list[Row] = []
    failures: list[Failure] = []
    wanted = [name for name in (*WORK, "path_kl", "path_tiny") if name in options.only]
    for found in measure_all(plan, wanted, ceilings, options.batches, options.rounds):
        _print(found)
        (rows if isinstance(found, Row) else failures).append(found)  # type: ignore[arg-type]
        if options.json:
            # After each: whoever borrows a GPU may have to give it back at any moment.
            kept = {"machine": _machine(options.device), "ceilings": ceilings}
            kept |= {"rows": [asdict(row) for row in rows]}
            kept |= {"failures": [asdict(failure) for failure in failures]}
            options.json.write_text(json.dumps(kept))
    for line in compare_with_reference(rows):
        print(line)


def _print(found: Row | Failure) -> None:
    what = f"{found.stage:10} {found.dtype:5} {found.layout:13} {found.how:8} {found.batch:5} "
    if isinstance(found, Failure):
        print(f"{what} not possible: {found.reason}", flush=True)
        return
    print(
        f"{what}{found.best_ms:9.2f} {found.median_ms:9.2f} {found.per_second:6.2f} "
        f"{found.share:6.1%}",
        flush=True,
    )


def compare_with_reference(rows: list[Row]) -> Iterator[str]:
    """How many times MuseTalk's own loop the path is, each at its best."""
    for stage in sorted({row.stage for row in rows if row.stage.startswith("path_")}):
        ours = max(
            (r for r in rows if r.stage == stage and r.how != REFERENCE), key=_rate, default=None
        )
        theirs = max(
            (r for r in rows if r.stage == stage and r.how == REFERENCE), key=_rate, default=None
        )
        if ours is not None and theirs is not None:
            times = ours.per_second / theirs.per_second
            yield (
                f"{stage}: {ours.per_second:.1f} pictures a second ({ours.dtype}, {ours.layout}, "
                f"{ours.how}, {ours.batch}), {ours.share:.1%} of the ceiling; MuseTalk's loop "
                f"{theirs.per_second:.1f} ({theirs.dtype}, {theirs.batch}): {times:.1f} times, "
                f"target {TARGET_TIMES:.0f} on a GPU"
            )


def _rate(row: Row) -> float:
    return row.per_second


def measure_all(
    plan: Plan, stages: list[str], ceilings: dict[str, float], batches: list[int], rounds: int
) -> Iterator[Row | Failure]:
    """Each combination once; networks are made once for each dtype and layout."""
    counts = batches or list(plan.batches)
    for dtype, layout in itertools.product(plan.dtypes, plan.layouts):
        networks = Networks(plan.device, DTYPES[dtype], layout, stages)
        for stage, batch, how in _combinations(plan, stages, counts, layout):
            try:
                call = _call(networks, stage, batch, how)
                took = measure(call, plan.device, rounds or plan.rounds)
            except RuntimeError as error:
                # What PyTorch raises where it has no memory or cannot compile, too.
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                yield Failure(stage, dtype, layout, how, batch, reason)
                if plan.device == "cuda":
                    torch.cuda.empty_cache()
            else:
                yield _row(stage, dtype, layout, how, batch, took, ceilings[dtype])


def _combinations(
    plan: Plan, stages: list[str], batches: list[int], layout: str
) -> Iterator[tuple[str, int, str]]:
    """Stage, batch and how; the reference is run as it stands there, contiguous."""
    yield from itertools.product(stages, batches, plan.hows)
    if layout == "contiguous":
        paths = [name for name in stages if name.startswith("path_")]
        yield from itertools.product(paths, batches, [REFERENCE])


def _call(networks: Networks, stage: str, batch: int, how: str) -> Callable[[], Any]:
    if how == REFERENCE:
        return networks.reference(stage, batch)
    call = as_it_is_run(networks.call(stage, batch), how)
    return _taken_out(call) if stage.startswith("path_") else call


class Networks:
    """The networks of the stages that are measured, on one device, in one dtype and layout."""

    def __init__(self, device: str, dtype: torch.dtype, layout: str, stages: list[str]) -> None:
        torch.manual_seed(1)
        self._device, self._dtype = device, dtype
        memory = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        wanted = " ".join(stages)

        def ready(network: Any) -> Any:
            network = network.requires_grad_(requires_grad=False).eval()
            return network.to(device, dtype).to(memory_format=memory)

        with torch.device(device):
            if "unet" in stages or "path" in wanted:
                self.unet = ready(UNet2DConditionModel(**FULL_UNET))
            if "kl" in wanted:
                self.vae = ready(AutoencoderKL.from_config(FULL_VAE))
            if "tiny" in wanted:
                self.tiny = ready(AutoencoderTiny().decoder)
            if "whisper" in stages:
                # Its weights stay in fp32, as they do on air: it computes in what it is given.
                self.whisper = (
                    AudioEncoder(*WHISPER_TINY).eval().requires_grad_(requires_grad=False)
                )

    def call(self, stage: str, batch: int) -> Callable[[], Any]:
        """One call of a stage with inputs of its own."""
        given = self._given(batch)
        time_zero = torch.tensor([0], device=self._device)
        calls: dict[str, Callable[[], Any]] = {
            "unet": lambda: (
                self.unet(
                    given["latents"], time_zero, encoder_hidden_states=given["prompts"]
                ).sample
            ),
            "kl": lambda: self.vae.decode(given["faces"]).sample,
            "tiny": lambda: self.tiny(given["faces"]),
            "whisper": lambda: self.whisper(given["mel"]),
        }
        if stage in calls:
            return calls[stage]
        decoder = self._decoder(stage)
        painter = FacePainter(self.unet, decoder)
        return lambda: decoder.decode(painter.paint_latents(given["latents"], given["prompts"]))

    def reference(self, stage: str, batch: int) -> Callable[[], Any]:
        """MuseTalk's `inference` and `decode_latents`, step by step as its scripts have them."""
        given, time_zero = self._given(batch), torch.tensor([0], device=self._device)
        positions = encode_positions(*PROMPT).to(self._device, self._dtype)

        def run() -> Any:
            hidden = given["prompts"] + positions
            made = self.unet(given["latents"], time_zero, encoder_hidden_states=hidden).sample
            image = self._pictures(stage, made)
            image = (image / 2 + 0.5).clamp(0, 1)
            pixels = image.detach().cpu().permute(0, 2, 3, 1).float().numpy()
            return (pixels * 255).round().astype("uint8")[..., ::-1]

        return run

    def _pictures(self, stage: str, made: torch.Tensor) -> torch.Tensor:
        if stage == "path_tiny":
            return self.tiny(made)  # type: ignore[no-any-return]
        return self.vae.decode(made / self.vae.config.scaling_factor).sample  # type: ignore[no-any-return]

    def _decoder(self, stage: str) -> FaceDecoder:
        if stage == "path_tiny":
            return FaceDecoder(self.tiny, 1.0)
        return FaceDecoder(lambda given: self.vae.decode(given).sample, 0.18215)

    def _given(self, batch: int) -> dict[str, torch.Tensor]:
        shapes = {
            "latents": (batch, 8, LATENT_PX, LATENT_PX),
            "faces": (batch, 4, LATENT_PX, LATENT_PX),
            "prompts": (batch, *PROMPT),
            "mel": (batch, 80, 3000),
        }
        return {
            name: torch.randn(shape, device=self._device).to(self._dtype)
            for name, shape in shapes.items()
        }


def as_it_is_run(call: Callable[[], Any], how: str) -> Callable[[], Any]:
    """The call eager, compiled, or captured once and replayed."""
    if how == "compile":
        # All calls are one piece of code to the compiler: after eight shapes of it, it would run
        # the rest uncompiled, and from the second on with sizes left open.
        torch._dynamo.reset()
        mode = "max-autotune-no-cudagraphs"
        return torch.compile(call, mode=mode, dynamic=False)  # type: ignore[no-any-return]
    if how == "eager":
        return call
    side = torch.cuda.Stream()
    with torch.cuda.stream(side), torch.inference_mode():
        for _ in range(3):
            call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    # One that fails may leave its own stream in use.
    with torch.cuda.stream(torch.cuda.current_stream()), torch.inference_mode():
        with torch.cuda.graph(graph):
            made = call()

    def replay(_kept: Any = call) -> Any:
        # The graph reads the inputs where they were: they live as long as it does.
        graph.replay()
        return made

    return replay


def _taken_out(call: Callable[[], Any]) -> Callable[[], Any]:
    """The path ends where pasting begins: bytes in this process's memory."""
    return lambda: call().cpu().numpy()


def measure(call: Callable[[], Any], device: str, rounds: int) -> list[float]:
    """Milliseconds of each round, the first ones apart."""
    took = []
    with torch.inference_mode():
        for number in range(rounds + (10 if device == "cuda" else 1)):
            _wait(device)
            began = time.perf_counter()
            call()
            _wait(device)
            took.append((time.perf_counter() - began) * 1000)
            if number == 0 and device == "cpu" and took[0] > 20_000:
                return took
    return took[-rounds:]


def ceiling(device: str, dtype: torch.dtype) -> float:
    """TFLOP/s of a large matrix product or convolution, the better: what this machine reaches.

    On a processor the two are libraries apart: MKL's products leave AVX-512 of AMD's unused, and
    oneDNN's convolutions take twice as much from it.
    """
    side = _PRODUCT[device]
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = 2 * side**3 / min(measure(lambda: one @ other, device, 10))
    channels, size = _CONVOLUTION
    picture = torch.randn(1, channels, size, size, device=device).to(dtype)
    picture = picture.to(memory_format=torch.channels_last)
    kernel = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
    work = 2 * 9 * channels**2 * size**2
    convolution = work / min(measure(lambda: conv2d(picture, kernel, padding=1), device, 10))
    return max(product, convolution) / 1e9


def _row(
    stage: str, dtype: str, layout: str, how: str, batch: int, took: list[float], tflops: float
) -> Row:
    parts = ("unet", stage.removeprefix("path_")) if stage.startswith("path_") else (stage,)
    work = sum(WORK[part] for part in parts)
    best = min(took)
    share = work * batch / best / tflops
    return Row(
        stage, dtype, layout, how, batch, round(best, 3), round(float(np.median(took)), 3),
        round(batch * 1000 / best, 2), round(share, 4),
    )  # fmt: skip


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def machine_with_gpu() -> str:
    """GPU, driver, CUDA and PyTorch of the figures."""
    said = Path("/proc/driver/nvidia/version")
    driver = said.read_text().split("\n")[0].split("Module")[-1].split() if said.exists() else []
    return (
        f"{torch.cuda.get_device_name()}, driver {' '.join(driver[:3]) or 'unknown'}, "
        f"CUDA {torch.version.cuda}, torch {torch.__version__}"
    )


def _machine(device: str) -> str:
    if device == "cuda":
        return machine_with_gpu()
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    every = [*WORK, "path_kl", "path_tiny"]
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", type=lambda text: text.split(","), default=every)
    parser.add_argument(
        "--batches", type=lambda text: [int(n) for n in text.split(",")], default=[]
    )
    parser.add_argument("--dtypes", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--layouts", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--hows", type=lambda text: tuple(text.split(",")), default=())
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if set(options.only) - set(every):
        parser.error(f"--only names stages: {', '.join(every)}")
    for name, known in (("dtypes", DTYPES), ("layouts", LAYOUTS), ("hows", HOWS)):
        if set(getattr(options, name)) - set(known):
            parser.error(f"--{name} names some of: {', '.join(known)}")
    if options.device == "cpu" and set(options.hows) & {"graph"}:
        parser.error("CUDA graphs need --device cuda")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine has no CUDA GPU that PyTorch can use")
    return options


if __name__ == "__main__":
    main()
