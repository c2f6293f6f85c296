"""What is said next, and what the operator does to it."""

from __future__ import annotations

import asyncio

import pytest

from inference.closing_spec import Closing
from inference.protocol import CueSpec, Cursor, Interrupt, Say
from inference.runner.lines import LineRefusedError
from inference.runner.mixer import TICK_SAMPLES
from inference.runner.rundown import UnknownCueError
from inference.text.script import ScriptError

from .shows import SPOKEN_SAMPLES, Show


async def test_rundown_is_said_in_order_and_ends() -> None:
    show = Show("One. Two.", "Three.").start()

    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two.", "Three."]
    assert show.cursors() == [("c1", 0, 0), ("c1", 1, 0), ("c2", 0, 0), (None, 0, 0)]
    assert show.ended == ["the rundown has ended"]


async def test_said_is_told_only_after_the_last_sample_has_left() -> None:
    show = Show("One.").start()
    await show.speak("One.")

    await show.tick(SPOKEN_SAMPLES // TICK_SAMPLES - 2)
    assert show.texts("said") == []

    await show.tick(3)
    assert show.texts("said") == ["One."]


async def test_loop_says_each_sentence_once_per_loop_with_its_pause() -> None:
    show = Show("One.", "Two.", rundown_mode="loop", loop_pause_seconds=1.0).start()

    await show.until(lambda: len(show.texts("said")) == 4)

    assert show.texts("said") == ["One.", "Two.", "One.", "Two."]
    starts = [piece.start_sample for piece in show.stage.pieces]
    assert starts[2] - (starts[1] + SPOKEN_SAMPLES) >= 48_000


async def test_rundown_waits_for_a_presenter_that_loads_and_the_operator_does_not() -> None:
    show = Show("One.")
    show.script.await_presenter(60)
    show.start()
    show.script.say(Say("u1", "Just a moment."))

    await show.until(lambda: show.texts("said"))
    await show.tick(200)
    assert show.texts("speaking") == ["Just a moment."]

    show.script.presenter_is_there()
    await show.until(lambda: show.ended)
    assert show.texts("said") == ["Just a moment.", "One."]


async def test_presenter_that_never_comes_holds_the_rundown_only_for_a_while() -> None:
    show = Show("One.")
    show.script.await_presenter(0.01)
    show.start()

    await asyncio.sleep(0.05)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]


async def test_broadcast_that_waits_for_its_presenter_can_be_stopped() -> None:
    show = Show("One.")
    show.script.await_presenter(60)
    show.start()

    show.script.end("stopped by alice", now=False)

    assert show.ended == ["stopped by alice"]
    assert show.texts("said") == []


async def test_presenter_that_is_there_before_the_start_holds_up_nothing() -> None:
    show = Show("One.")
    show.script.await_presenter(3600)
    show.script.presenter_is_there()
    assert (show.events, show.ended) == ([], [])  # nothing is over that has not begun

    show.start()
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]


async def test_broadcast_that_is_ended_before_its_start_says_nothing() -> None:
    show = Show("One.")
    show.script.end("the runner was asked to end", now=True)

    show.start(None, "running", Say("u1", "News."))

    assert show.ended == ["the runner was asked to end"]
    assert (show.texts("dropped"), show.texts("speaking")) == (["News."], [])


async def test_say_comes_at_the_sentence_end_and_the_script_goes_on() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    show.script.say(Say("u1", "News."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "News.", "Two."]


async def test_say_with_interrupt_cuts_and_the_cut_sentence_is_said_again() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    show.script.say(Say("u1", "News.", interrupt=True))
    await show.until(lambda: show.ended)

    assert show.texts("interrupted") == ["One."]
    assert show.texts("said") == ["News.", "One.", "Two."]


async def test_interrupt_reports_what_was_played_and_holds_the_script() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")
    await show.tick(3)

    cut = show.script.interrupt(Interrupt(None))
    await show.tick(100)

    assert cut.generation == 1
    (event,) = [d for k, d in show.events if k == "utterance" and d["state"] == "interrupted"]
    assert event["id"] == cut.utterance
    assert 0 < event["played_ms"] < 200
    assert show.script.state == "held"
    assert show.texts("said") == []


async def test_held_script_goes_on_after_the_next_say() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")
    show.script.interrupt(Interrupt(None))

    show.script.say(Say("u1", "News."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["News.", "One.", "Two."]


async def test_held_script_goes_on_by_itself_after_the_seconds() -> None:
    show = Show("One.").start()
    await show.speak("One.")

    show.script.interrupt(Interrupt(0.01))
    await asyncio.sleep(0.05)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]


async def test_pause_waits_for_the_sentence_end_and_resume_goes_on() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    show.script.pause()
    await show.tick(100)
    assert show.texts("said") == ["One."]

    show.script.resume()
    await show.until(lambda: show.ended)
    assert show.texts("said") == ["One.", "Two."]


async def test_operator_is_heard_while_the_script_is_paused() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")
    show.script.pause()

    show.script.say(Say("u1", "News."))
    await show.until(lambda: "News." in show.texts("said"))
    await show.tick(100)

    assert show.texts("said") == ["One.", "News."]
    assert show.script.state == "paused"


async def test_skip_ends_the_cue_and_takes_the_next() -> None:
    show = Show("One. Two.", "Three.").start()
    await show.speak("One.")

    assert show.script.skip()
    await show.until(lambda: show.ended)

    assert show.texts("interrupted") == ["One."]
    assert show.texts("said") == ["Three."]


async def test_take_jumps_at_the_sentence_end() -> None:
    show = Show("One. Two.", "Three.", "Four.").start()
    await show.speak("One.")

    show.script.take("c3")
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Four."]


async def test_take_of_the_cue_that_speaks_says_it_again() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    show.script.take("c1")
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "One.", "Two."]


async def test_take_of_an_unknown_cue_is_refused_and_changes_nothing() -> None:
    show = Show("One.", "Two.").start()

    with pytest.raises(UnknownCueError):
        show.script.take("nowhere")
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Two."]


async def test_pause_cue_is_cut_short_by_a_say() -> None:
    cues = (
        CueSpec("c1", "speech", "One."),
        CueSpec("c2", "pause", pause_seconds=60),
        CueSpec("c3", "speech", "Two."),
    )
    show = Show(cues=cues).start()
    await show.until(lambda: show.cursors()[-1] == ("c2", 0, 0))
    await show.tick(30)

    show.script.say(Say("u1", "News."))
    await show.until(lambda: "News." in show.texts("said"), ticks=60)


async def test_stop_at_sentence_end_lets_the_sentence_end() -> None:
    show = Show("One.", "Two.", rundown_mode="loop").start()
    await show.speak("One.")
    show.script.say(Say("u1", "News."))

    show.script.end("enough", now=False)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]
    assert show.texts("dropped") == ["News."]
    assert show.ended == ["enough"]


async def test_stop_now_cuts() -> None:
    show = Show("One.").start()
    await show.speak("One.")

    show.script.end("enough", now=True)
    await show.until(lambda: show.ended)

    assert show.texts("interrupted") == ["One."]


async def test_duration_ends_at_a_sentence_end() -> None:
    show = Show("One.", rundown_mode="loop", ends="after_duration", duration_seconds=1.0).start()

    await show.until(lambda: show.ended)

    assert show.ended == ["the planned duration has passed"]
    assert show.texts("interrupted") == []
    assert show.mixer.position >= 48_000


async def test_manual_end_stays_on_air_after_the_rundown() -> None:
    show = Show("One.", ends="manual").start()

    await show.until(lambda: show.script.state == "finished")
    await show.tick(50)
    assert show.ended == []

    show.script.take("c1")
    await show.until(lambda: show.texts("said") == ["One.", "One."])


async def test_sentence_that_no_voice_can_say_is_told_and_passed_over() -> None:
    show = Show("One.", "Bad.", "Two.")
    show.voice.broken = {"Bad."}
    show.start()

    await show.until(lambda: show.ended)

    assert show.texts("failed") == ["Bad."]
    assert show.texts("said") == ["One.", "Two."]


async def test_next_three_sentences_are_prefetched() -> None:
    show = Show("One. Two. Three. Four. Five.")

    show.script.warm(Cursor())

    assert show.voice.asked == [(text, "prefetch") for text in ("One.", "Two.", "Three.")]


async def test_resume_goes_on_at_the_cursor() -> None:
    show = Show("One. Two.", "Three.").start(Cursor("c1", 1, 4))

    await show.until(lambda: show.ended)

    assert show.texts("said") == ["Two.", "Three."]


async def test_long_line_is_one_utterance_of_several_sentences() -> None:
    show = Show("One.", "Two.").start()
    await show.speak("One.")

    show.script.say(Say("u1", "First thing. Second thing. [wave] Third."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "First thing. Second thing. [wave] Third.", "Two."]
    spoken = [piece.text for piece in show.stage.pieces if piece.line.utterance == "u1"]
    assert spoken == ["First thing.", "Second thing.", "Third."]


@pytest.mark.parametrize("text", ["", "   ", "[wave]", "Hello [dance]"])
async def test_line_that_cannot_be_said_is_refused(text: str) -> None:
    show = Show("One.").start()

    with pytest.raises(ScriptError):
        show.script.say(Say("u1", text))


async def test_expression_and_gesture_come_with_the_first_sentence_of_a_cue() -> None:
    cues = (CueSpec("c1", "speech", "One. Two.", expression="happy", gesture="wave"),)
    show = Show(cues=cues).start()

    await show.until(lambda: show.ended)

    assert [(line.expression, line.gesture) for line in show.stage.lines] == [
        ("happy", "wave"),
        (None, None),
    ]


async def test_ending_says_the_whole_sentence_then_the_closing_line_and_nothing_more() -> None:
    show = Show("One. Two.", "Three.").start()
    await show.speak("One.")
    show.script.say(Say("late", "Waiting."))

    show.script.end("quota_minutes", now=False, closing=Closing("bye", "Goodbye."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One.", "Goodbye."]
    assert show.texts("dropped") == ["Waiting."]
    assert not show.texts("interrupted")
    assert show.ended == ["quota_minutes"]
    with pytest.raises(LineRefusedError):
        show.script.say(Say("later", "Too late."))


async def test_ending_shows_its_card_in_silence() -> None:
    show = Show("One. Two.").start()
    await show.speak("One.")

    closing = Closing("bye", "That is all.", "card", seconds=0.4)
    show.script.end("quota_minutes", now=False, closing=closing)
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]
    assert show.stage.cues[:3] == ["+c1", "+closing", "-"]
    assert show.cursors()[-1] == ("c1", 1, 0)


async def test_a_closing_line_that_no_voice_can_say_ends_the_broadcast_all_the_same() -> None:
    show = Show("One. Two.").start()
    show.voice.broken = {"Goodbye."}
    await show.speak("One.")

    show.script.end("quota_minutes", now=False, closing=Closing("bye", "Goodbye."))
    await show.until(lambda: show.ended)

    assert show.texts("said") == ["One."]
    assert show.texts("failed") == ["Goodbye."]


async def test_a_stop_at_once_cuts_the_closing_line_too() -> None:
    show = Show("One. Two.").start()
    await show.speak("One.")
    show.script.end("quota_minutes", now=False, closing=Closing("bye", "Goodbye."))
    await show.speak("Goodbye.")

    show.script.end("stopped by the operator", now=True)
    await show.until(lambda: show.ended)

    assert show.texts("interrupted") == ["Goodbye."]
