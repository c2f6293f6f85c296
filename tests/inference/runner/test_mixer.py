"""The sound timeline, to the sample."""

from __future__ import annotations

import numpy as np
import pytest

from inference.runner.mixer import (
    FADE_SAMPLES,
    TICK_SAMPLES,
    Mixer,
    MixerFullError,
    Samples,
    Segment,
)


class Log:
    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def placed(self, utterance: str, generation: int, start_sample: int) -> None:
        self.calls.append(("placed", utterance, generation, start_sample))

    def started(self, utterance: str, generation: int, sample: int) -> None:
        self.calls.append(("started", utterance, generation, sample))

    def finished(
        self, utterance: str, generation: int, played_samples: int, *, completed: bool
    ) -> None:
        self.calls.append(("finished", utterance, generation, played_samples, completed))

    def underrun(
        self, utterance: str, generation: int, at_sample: int, silent_samples: int
    ) -> None:
        self.calls.append(("underrun", utterance, generation, at_sample, silent_samples))


class Tape:
    """A mixer with its listener and all that was pulled so far."""

    def __init__(self) -> None:
        self.log = Log()
        self.mixer = Mixer(self.log)
        self.sample = 0
        self.sound: Samples = np.empty(0, np.int16)

    def pull(self, ticks: int = 1) -> None:
        for _ in range(ticks):
            block = self.mixer.pull(self.sample)
            assert block.pts == self.sample
            self.sound = np.concatenate((self.sound, block.samples))
            self.sample += TICK_SAMPLES


@pytest.fixture
def tape() -> Tape:
    return Tape()


def ramp(length: int, first: int = 1) -> Samples:
    return (np.arange(first, first + length) % 30_000 + 1).astype(np.int16)


def test_sentence_leaves_whole_at_its_start_sample(tape: Tape) -> None:
    placement = tape.mixer.schedule(Segment.complete("a", ramp(2500)), lead_samples=700)
    tape.pull(5)

    assert placement.start_sample == 700
    np.testing.assert_array_equal(tape.sound[700:3200], ramp(2500))
    assert not tape.sound[:700].any()
    assert not tape.sound[3200:].any()
    assert tape.log.calls == [("started", "a", 0, 700), ("finished", "a", 0, 2500, True)]


def test_finished_is_told_only_when_the_last_sample_has_left(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(TICK_SAMPLES)))

    tape.pull()
    assert tape.log.calls == [("started", "a", 0, 0)]

    tape.pull()
    assert tape.log.calls[-1] == ("finished", "a", 0, TICK_SAMPLES, True)


def test_next_sentence_follows_after_the_gap(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(1000)))
    tape.pull()
    placement = tape.mixer.schedule(Segment.complete("b", ramp(500)), gap_samples=333)
    tape.pull(3)

    assert placement.start_sample == 1333
    np.testing.assert_array_equal(tape.sound[1333:1833], ramp(500))
    assert not tape.sound[1000:1333].any()


def test_two_short_sentences_may_share_a_tick(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(100)))
    tape.mixer.schedule(Segment.complete("b", ramp(100)), gap_samples=50)
    tape.pull(2)

    np.testing.assert_array_equal(tape.sound[150:250], ramp(100))
    assert [call[:2] for call in tape.log.calls] == [
        ("started", "a"), ("started", "b"), ("finished", "a"), ("finished", "b"),
    ]  # fmt: skip


def test_start_behind_a_growing_sentence_is_told_when_known(tape: Tape) -> None:
    growing = Segment("a")
    growing.append(ramp(1000))
    tape.mixer.schedule(growing)
    placement = tape.mixer.schedule(Segment.complete("b", ramp(10)), gap_samples=200)
    assert placement.start_sample is None

    tape.pull()
    growing.append(ramp(500))
    growing.finish(1500)
    tape.pull(2)

    assert ("placed", "b", 0, 1700) in tape.log.calls
    np.testing.assert_array_equal(tape.sound[1700:1710], ramp(10))


def test_late_voice_puts_silence_into_the_sentence_and_loses_nothing(tape: Tape) -> None:
    growing = Segment("a")
    growing.append(ramp(300))
    tape.mixer.schedule(growing)
    tape.pull(2)
    growing.append(ramp(200, first=301))
    growing.finish()
    tape.pull(2)

    silent = 2 * TICK_SAMPLES - 300
    np.testing.assert_array_equal(tape.sound[tape.sound > 0], ramp(500))
    assert ("underrun", "a", 0, 300, silent) in tape.log.calls
    assert tape.mixer.underruns == (1, silent)
    assert tape.log.calls[-1] == ("finished", "a", 0, 500, True)


def test_sentence_without_sound_at_its_start_starts_when_it_comes(tape: Tape) -> None:
    growing = Segment("a")
    tape.mixer.schedule(growing)
    tape.pull(2)
    growing.append(ramp(10))
    growing.finish()
    tape.pull()

    assert tape.log.calls == [("started", "a", 0, 2 * TICK_SAMPLES)]
    assert tape.mixer.underruns == (0, 0)


def test_interrupt_fades_ten_milliseconds_and_nothing_old_follows(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", np.full(48_000, 1000, np.int16)))
    tape.pull(3)
    cut = tape.mixer.interrupt()
    tape.pull(3)

    heard = 3 * TICK_SAMPLES + FADE_SAMPLES
    assert (cut.generation, cut.utterance, cut.played_samples) == (1, "a", heard)
    assert cut.at_sample == 3 * TICK_SAMPLES
    fade = tape.sound[cut.at_sample : heard]
    assert (np.diff(fade) <= 0).all()
    assert fade[0] == 1000
    assert not tape.sound[heard:].any()
    assert tape.log.calls[-1] == ("finished", "a", 0, heard, False)


def test_interrupt_drops_the_waiting_sentence(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(5000)))
    tape.mixer.schedule(Segment.complete("b", ramp(5000)))
    tape.pull()

    cut = tape.mixer.interrupt()
    tape.pull(10)

    assert cut.dropped == ("b",)
    assert not any(call[1] == "b" for call in tape.log.calls)


def test_interrupt_after_the_last_sample_cuts_nothing(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(900)))
    tape.pull()

    cut = tape.mixer.interrupt()
    tape.pull()

    assert (cut.utterance, cut.played_samples) == (None, 0)
    assert tape.log.calls[-1] == ("finished", "a", 0, 900, True)


def test_second_interrupt_before_the_tick_keeps_the_fade(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", np.full(9600, 1000, np.int16)))
    tape.pull()
    tape.mixer.interrupt()
    second = tape.mixer.interrupt()
    tape.pull(2)

    assert (second.generation, second.utterance) == (2, None)
    assert tape.sound[TICK_SAMPLES + 100] > 500
    assert [call[0] for call in tape.log.calls] == ["started", "finished"]


def test_new_sentence_speaks_at_once_after_an_interrupt(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(48_000)))
    tape.pull(2)
    cut = tape.mixer.interrupt()
    placement = tape.mixer.schedule(
        Segment.complete("b", ramp(100)), after="now", lead_samples=FADE_SAMPLES, gap_samples=9999
    )
    tape.pull(2)

    assert placement.generation == cut.generation == 1
    assert placement.start_sample == cut.at_sample + FADE_SAMPLES
    assert ("started", "b", 1, placement.start_sample) in tape.log.calls


def test_revoke_takes_back_only_what_has_not_begun(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(5000)))
    tape.mixer.schedule(Segment.complete("b", ramp(5000)))
    tape.pull()

    assert tape.mixer.revoke("b")
    assert not tape.mixer.revoke("a")
    assert not tape.mixer.revoke("unknown")
    tape.pull(12)
    np.testing.assert_array_equal(tape.sound[:5000], ramp(5000))
    assert not tape.sound[5000:].any()


def test_third_sentence_is_refused(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(5000)))
    with pytest.raises(MixerFullError):
        tape.mixer.schedule(Segment.complete("x", ramp(10)), after="now")
    tape.mixer.schedule(Segment.complete("b", ramp(5000)))

    with pytest.raises(MixerFullError):
        tape.mixer.schedule(Segment.complete("c", ramp(10)))


def test_failed_voice_ends_the_sentence_not_completed(tape: Tape) -> None:
    growing = Segment("a")
    growing.append(ramp(400))
    tape.mixer.schedule(growing)
    tape.pull()
    growing.fail()
    tape.pull()

    assert tape.log.calls[-1] == ("finished", "a", 0, 400, False)


def test_voice_that_fails_before_its_first_sample_is_only_finished(tape: Tape) -> None:
    growing = Segment("a")
    tape.mixer.schedule(growing)
    growing.fail()
    tape.pull()

    assert tape.log.calls == [("finished", "a", 0, 0, False)]


def test_rebase_cuts_without_a_sample_more(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(9600)))
    tape.pull(2)
    cut = tape.mixer.rebase(960_000)
    tape.sample = 960_000
    tape.pull()

    assert (cut.utterance, cut.played_samples, cut.generation) == ("a", 1920, 1)
    assert not tape.sound[1920:].any()
    assert tape.log.calls[-1] == ("finished", "a", 0, 1920, False)


def test_close_reports_what_was_played_to_its_end(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(960)))
    tape.pull()
    tape.mixer.close()

    assert tape.log.calls[-1] == ("finished", "a", 0, 960, True)


def test_close_does_not_count_a_fade_that_was_never_heard(tape: Tape) -> None:
    tape.mixer.schedule(Segment.complete("a", ramp(9600)))
    tape.pull()
    tape.mixer.interrupt()
    tape.mixer.close()

    assert tape.log.calls[-1] == ("finished", "a", 0, 960, False)


def test_segment_refuses_sound_after_its_end_and_a_wrong_length() -> None:
    segment = Segment("a")
    segment.append(ramp(10))
    with pytest.raises(ValueError, match="expected 11 samples, have 10"):
        segment.finish(11)
    segment.finish(10)

    with pytest.raises(ValueError, match="already ended"):
        segment.append(ramp(1))
