"""When encoders are taken for hung."""

from __future__ import annotations

from inference.runner.encoder_watch import SILENT_LOOKS, EncoderWatch


def test_encoders_that_do_not_come_back_are_told_once() -> None:
    watch = EncoderWatch()

    told = [watch.hangs(7, "video") for _ in range(3 * SILENT_LOOKS)]

    assert told.index(True) == SILENT_LOOKS
    assert told.count(True) == 1


def test_encoders_that_work_or_wait_are_left_alone() -> None:
    watch = EncoderWatch()

    assert not any(watch.hangs(rounds, "video") for rounds in range(50))
    assert not any(watch.hangs(50, "") for _ in range(50))
    assert not any(watch.hangs(51 + look // SILENT_LOOKS, "sound") for look in range(50))
