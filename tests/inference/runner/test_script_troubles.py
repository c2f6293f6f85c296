"""What is said when something was taken back, has failed, or has crashed before."""

from __future__ import annotations

import asyncio

import pytest

from inference.protocol import CueSpec, Cursor, Interrupt, Say
from inference.runner.lines import LineRefusedError, Piece
from inference.runner.placing import FIRST_RETRY_SECONDS
from inference.runner.script import MAX_SAYS

from .shows import Show


async def test_what_waited_is_taken_back_from_the_stage_when_something_else_comes() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")
    assert [piece.text for piece in show.stage.pieces] == ["One.", "Two."]

    show.script.pause()

    assert show.stage.taken_back == ["Two."]


@pytest.mark.parametrize("ends", ["after_rundown", "manual"])
async def test_finished_rundown_is_not_said_again_after_a_crash(ends: str) -> None:
    show = Show("One.", ends=ends).start(Cursor(finished=True))
    await show.tick(50)

    assert show.texts("speaking") == []
    assert show.ended == (["the rundown has ended"] if ends == "after_rundown" else [])


async def test_accepted_lines_are_said_after_a_crash() -> None:
    show = Show("One.").start(Cursor(), "paused", Say("u1", "News."), Say("u2", "More news."))

    await show.until(lambda: len(show.texts("said")) == 2)

    assert show.texts("said") == ["News.", "More news."]


async def test_hold_stays_after_a_crash_until_the_operator_speaks() -> None:
    show = Show("One.").start(Cursor(), "held")
    await show.tick(20)
    assert show.texts("speaking") == []

    show.script.say(Say("u1", "News."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["News.", "One."]


async def test_script_waits_for_a_voice_that_fails_for_a_while() -> None:
    show = Show("One.", "Two.")
    show.voice.broken, show.voice.is_retryable = {"Two."}, True
    show.start()
    await show.until(lambda: show.texts("said") == ["One."])
    show.script.speech_made(show.voice.speeches["Two."])
    await show.tick(20)
    assert show.texts("failed") == []

    show.voice.broken = set()
    await asyncio.sleep(FIRST_RETRY_SECONDS * 1.2)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]


async def test_failing_next_sentence_leaves_the_cut_one_to_be_said_again() -> None:
    show = Show("One.", "Bad.", "Two.")
    show.voice.broken = {"Bad."}
    show.start()
    await show.speak("One.")

    show.script.interrupt(Interrupt(None))
    show.script.resume()
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]


async def test_lines_that_a_dead_runner_left_wait_again_and_are_said_first() -> None:
    left = Say("u1", "Cut by the crash."), Say("u2", "Never begun.")
    show = Show("One.").start(None, "running", *left)

    assert show.texts("queued") == ["Cut by the crash.", "Never begun."]
    await show.until(lambda: show.ended)
    assert show.texts("said") == ["Cut by the crash.", "Never begun.", "One."]


async def test_hold_ends_when_the_operator_s_line_cannot_be_said() -> None:
    show = Show("One.").start()
    await show.speak("One.")
    show.script.interrupt(Interrupt(None))
    show.voice.broken = {"Bad."}

    show.script.say(Say("u1", "Bad."))
    await show.until(lambda: show.ended)

    assert show.texts("failed") == ["Bad."]
    assert show.texts("said") == ["One."]


async def test_planned_end_does_not_wait_out_a_pause() -> None:
    cues = (CueSpec("c1", "speech", "One."), CueSpec("c2", "pause", pause_seconds=3600))
    show = Show(cues=cues, ends="after_duration", duration_seconds=1.0).start()
    await show.until(lambda: show.mixer.position > 48_000)

    show.script.look_again()
    await show.until(lambda: show.ended)

    assert show.ended == ["the planned duration has passed"]


async def test_nothing_new_is_taken_while_the_broadcast_ends() -> None:
    show = Show("One.").start()
    await show.speak("One.")
    show.script.end("enough", now=False)

    with pytest.raises(LineRefusedError) as refused:
        show.script.say(Say("u1", "News.", interrupt=True))

    assert refused.value.code == "not_live"
    await show.until(lambda: show.ended)
    assert show.texts("said") == ["One."]


async def test_lines_that_wait_are_bounded() -> None:
    show = Show("One.").start()
    await show.speak("One.")
    for number in range(MAX_SAYS):
        show.script.say(Say(f"u{number}", "News."))

    with pytest.raises(LineRefusedError, match="wait already"):
        show.script.say(Say("one-more", "News."))


async def test_round_of_a_rundown_that_no_voice_can_say_is_tried_again_after_a_rest() -> None:
    show = Show("One.", "Two.", rundown_mode="loop")
    show.voice.broken = {"One.", "Two."}
    show.start()
    await show.tick(50)
    assert show.texts("failed") == ["One.", "Two."]

    show.voice.broken = set()
    await asyncio.sleep(FIRST_RETRY_SECONDS * 1.2)

    await show.speak("Two.")
    assert show.texts("said") == ["One."]
    assert show.cursors()[-1] == ("c2", 0, 1)


async def test_operator_does_not_wait_for_a_voice_that_failed_on_the_script() -> None:
    show = Show("One.", "Bad.")
    show.voice.broken, show.voice.is_retryable = {"Bad."}, True
    show.start()
    await show.until(lambda: show.texts("said") == ["One."])
    show.script.speech_made(show.voice.speeches["Bad."])

    show.script.say(Say("u1", "News."))
    await show.tick(20)

    assert show.texts("said") == ["One.", "News."]


async def test_operator_s_line_is_tried_again_when_the_rest_is_over() -> None:
    show = Show("One.").start(Cursor(), "paused")
    show.voice.broken, show.voice.is_retryable = {"News."}, True
    show.script.say(Say("u1", "News."))
    show.script.speech_made(show.voice.speeches["News."])
    show.voice.asked.clear()

    await asyncio.sleep(FIRST_RETRY_SECONDS * 1.2)

    # A failure is told once; the second time it is tried again.
    assert show.voice.asked[:2] == [("News.", "say"), ("News.", "say")]


async def test_sentence_that_fails_in_each_round_holds_up_no_round() -> None:
    show = Show("One.", "Bad.", rundown_mode="loop")
    show.voice.broken = {"Bad."}
    show.start()

    await show.until(lambda: show.texts("said") == ["One.", "One."], ticks=200)

    assert show.texts("failed") == ["Bad.", "Bad."]


async def test_line_whose_sentences_cannot_be_followed_up_ends_as_failed() -> None:
    """A sound that grows no more and never ends would keep the show silent for ever."""
    show = Show("One.").start(Cursor(), "paused")
    placed = show.stage.piece_placed

    def break_off(piece: Piece) -> None:
        placed(piece)
        if piece.index == 1:
            raise RuntimeError("the stage is broken")

    show.stage.piece_placed = break_off  # type: ignore[method-assign]
    show.script.say(Say("u1", "News. And more of it. And more."))
    show.script.resume()
    await show.until(lambda: show.ended, ticks=200)

    assert show.texts("failed") == ["News. And more of it. And more."]
    assert show.texts("said") == ["One."]


async def jump(show: Show) -> None:
    """The machine stood still for a second while something was said."""
    show.sample += 48_000
    show.script.rebased(show.mixer.rebase(show.sample))
    await show.tick()


async def test_sentence_that_the_clock_jumped_over_is_said_again() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    await jump(show)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]
    assert show.texts("interrupted") == ["One."]


async def test_operator_s_line_that_the_clock_jumped_over_is_said_again() -> None:
    show = Show("One.").start()
    show.script.say(Say("u1", "News.", interrupt=True))
    await show.speak("News.")

    await jump(show)
    assert states_of(show, "News.")[-2:] == ["interrupted", "queued"]
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["News.", "One."]


async def test_hold_outlives_a_jump_of_the_clock() -> None:
    show = Show("One.").start()
    await show.speak("One.")
    show.script.interrupt(Interrupt(None))
    show.script.say(Say("u1", "News."))
    await show.speak("News.")

    await jump(show)

    assert show.script.state == "held"
    await show.until(lambda: show.ended)
    assert show.texts("said") == ["News.", "One."]


async def test_stage_hears_of_a_jump_before_the_line_is_placed_again() -> None:
    """What is told of the new line before the cut would be cut with the old one."""
    show = Show("One.").start()
    await show.speak("One.")

    await jump(show)

    (cut,) = show.stage.cuts
    assert cut.generation == show.mixer.generation
    assert [piece.generation for piece in show.stage.pieces] == [0, cut.generation]
    assert show.stage.told[-3:] == ["cut", "line", "piece"]


async def test_line_that_was_placed_before_the_jump_was_told_is_said_once() -> None:
    show = Show("One.").start()
    await show.speak("One.")
    show.sample += 48_000
    cut = show.mixer.rebase(show.sample)
    show.script.say(Say("u1", "News."))

    show.script.rebased(cut)
    await show.until(lambda: show.ended)

    assert show.texts("speaking") == ["One.", "News.", "One."]
    assert show.texts("said") == ["News.", "One."]


def states_of(show: Show, text: str) -> list[str]:
    return [d["state"] for kind, d in show.events if kind == "utterance" and d["text"] == text]
