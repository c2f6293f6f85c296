"""When a card is seen: with the first sound of its cue, until its end, through interrupts."""

from __future__ import annotations

import asyncio

from inference.media.layout import Layout
from inference.media.overlay import OverlayStack
from inference.protocol import CardSpec, CueSpec, Cursor, Interrupt, RenditionSpec, Say
from inference.runner.cards import ENTER_SAMPLES, GRACE_SAMPLES, LEAVE_SAMPLES, CardBoard

from .shows import Show

RENDITION = RenditionSpec("main", 640, 360, 1920, 500)
TEA = CueSpec("tea", "speech", "One. Two.", card=CardSpec("Tea", price="¥9"))
CUP = CueSpec("cup", "speech", "Three.", card=CardSpec("A rather large cup", price="¥19"))
BYE = CueSpec("bye", "speech", "Four.")


class Board:
    """A card board whose clock the test sets."""

    def __init__(self) -> None:
        self.now = 0
        self.overlays = OverlayStack()
        self.told: list[str] = []
        self.cards = CardBoard(self.overlays, RENDITION, lambda: self.now, self.told.append)
        self.cards.set_layout(Layout(640, 360, {}))

    async def hear(self, cue: CueSpec) -> None:
        self.cards.heard(cue, self.now)
        async with asyncio.timeout(60):
            while cue.card and not self.cards._drawn[cue.id].done():
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    def shown(self, after_samples: int = 0) -> list[int]:
        """Heights of the patches in the picture, lowest layer first."""
        return [patch.height_px for patch in self.overlays.due(self.now + after_samples, 0)]


async def test_card_comes_and_goes_softly() -> None:
    board = Board()
    await board.hear(TEA)
    whole = board.overlays.due(ENTER_SAMPLES, 0)[0]
    coming = board.overlays.due(0, 0)[0]

    assert coming.y_px > whole.y_px
    assert int(coming.parts[0].stays.min()) > int(whole.parts[0].stays.min())
    assert board.shown(10**9) == [whole.height_px]

    board.now = 10 * 48_000
    board.cards.left()

    assert board.shown(GRACE_SAMPLES - 1) == [whole.height_px]
    assert board.shown(GRACE_SAMPLES + LEAVE_SAMPLES - 1) == [whole.height_px]
    assert board.shown(GRACE_SAMPLES + LEAVE_SAMPLES) == []


async def test_next_card_takes_over_and_the_old_one_lies_below_it_meanwhile() -> None:
    board = Board()
    await board.hear(TEA)
    [tea] = board.shown(ENTER_SAMPLES)
    board.now = 96_000
    board.cards.left()
    board.now += GRACE_SAMPLES // 2

    await board.hear(CUP)

    below, above = board.shown()
    assert below == tea
    assert board.shown(ENTER_SAMPLES) == [above]
    assert board.shown(10**9) == [above]


async def test_same_cue_again_keeps_its_card_without_a_gap() -> None:
    board = Board()
    await board.hear(TEA)
    board.now = 96_000
    board.cards.left()
    board.now += GRACE_SAMPLES // 2
    await board.hear(TEA)

    gaps = [at for at in range(0, 96_000, 1920) if len(board.shown(at)) != 1]

    assert gaps == []


async def test_cue_without_a_card_takes_the_old_one_away() -> None:
    board = Board()
    await board.hear(TEA)
    board.now = 96_000

    await board.hear(BYE)

    assert board.shown(LEAVE_SAMPLES) == []


async def test_card_that_is_drawn_too_late_does_not_come() -> None:
    board = Board()
    board.cards.heard(TEA, 0)
    board.cards.left()
    async with asyncio.timeout(60):
        await board.cards._drawn["tea"]
    await asyncio.sleep(0)

    assert board.shown(ENTER_SAMPLES) == []


async def test_card_whose_picture_is_lost_is_shown_without_and_told() -> None:
    board = Board()
    await board.hear(CueSpec("x", "speech", "One.", card=CardSpec("Tea", picture="/nowhere")))

    assert len(board.shown(ENTER_SAMPLES)) == 1
    assert board.told == ["the picture of a product card is gone"]


# --- what the script tells ---------------------------------------------------------------------


async def test_cue_is_heard_with_its_first_sound_and_left_after_its_last() -> None:
    show = Show(cues=(TEA, BYE)).start()
    assert show.stage.cues == []

    await show.speak("One.")
    assert show.stage.cues == ["+tea"]
    await show.until(lambda: show.ended)

    assert show.stage.cues == ["+tea", "+tea", "-", "+bye", "-"]


async def test_interrupt_and_answer_keep_the_cue() -> None:
    show = Show(cues=(TEA, BYE)).start()
    await show.speak("One.")

    show.script.interrupt(Interrupt(None))
    await show.tick(20)
    show.script.say(Say("u1", "Yes, it is green tea."))
    await show.speak("Yes, it is green tea.")

    assert show.stage.cues == ["+tea"]
    await show.speak("One.")  # the cut sentence is said again
    assert show.stage.cues == ["+tea", "+tea"]


async def test_skip_leaves_the_cue_at_once() -> None:
    show = Show(cues=(TEA, BYE)).start()
    await show.speak("One.")

    show.script.skip()
    await show.tick(2)

    assert show.stage.cues == ["+tea", "-"]


async def test_take_leaves_the_cue_when_its_sentence_has_ended() -> None:
    show = Show(cues=(TEA, CUP, BYE)).start()
    await show.speak("One.")

    show.script.take("bye")
    await show.tick(2)
    assert show.stage.cues == ["+tea"]
    await show.speak("Four.")

    assert show.stage.cues == ["+tea", "-", "+bye"]


async def test_runner_that_goes_on_in_the_middle_of_a_cue_hears_it() -> None:
    show = Show(cues=(TEA, BYE)).start(Cursor("tea", 1, 0))
    await show.speak("Two.")

    assert show.stage.cues == ["+tea"]


async def test_pause_between_loops_is_no_cue() -> None:
    show = Show(cues=(BYE,), rundown_mode="loop", loop_pause_seconds=0.5).start()

    await show.until(lambda: show.stage.cues.count("+bye") == 2)

    assert show.stage.cues == ["+bye", "-", "+bye"]
