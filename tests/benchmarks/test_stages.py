"""A matrix of measurements goes on where one of them is not possible."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from benchmarks import neural_stages
from benchmarks.neural_stages import Plan, compare_with_reference, measure_all

PLAN = Plan("cpu", ("fp32",), ("contiguous",), ("compile", "eager"), (1,), 1)


def test_combination_that_cannot_be_compiled_is_told_and_the_others_are_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU machine that is lent for minutes the rest must not be lost with it."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("Failed to find C compiler.\nA long explanation.")

    monkeypatch.setattr(torch, "compile", refuse)

    compiled, eager = measure_all(PLAN, ["tiny"], {"fp32": 0.1}, [], 0)

    assert compiled == neural_stages.Failure(
        "tiny", "fp32", "contiguous", "compile", 1, "Failed to find C compiler."
    )
    assert (eager.how, eager.batch) == ("eager", 1)


def test_reference_without_a_path_to_compare_it_with_is_no_error() -> None:
    row = neural_stages.Row("path_kl", "fp16", "contiguous", "MuseTalk", 1, 1.0, 1.0, 1.0, 0.1)

    assert list(compare_with_reference([row])) == []
