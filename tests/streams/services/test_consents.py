"""Consent on air: what may start, and what ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.models import AuditEntry, Consent
from accounts.services.consents import revoke_consent
from avatars.models import Avatar
from inference import catalog
from livestudio.common.reasons import translate_reason
from streams.errors import ShowNotReadyError
from streams.models import Show
from streams.services.consents import end_without_consent
from streams.services.launching import launch_due
from streams.services.lifecycle import start_broadcast, stop_broadcast
from streams.services.supervision import insist
from tests.factories import Cast, VoiceFactory, make_cast
from tests.streams.launcher import PaperLauncher
from tests.streams.plans import make_show, put_live
from voices.models import Voice, VoiceFallback

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def consent_of(cast: Cast, show: Show, scope: str = "face", **values: Any) -> Consent:
    """On record for the show's presenter, or its voice."""
    fields = {"subject": "Lin Xia", "document": "consents/x.pdf", **values}
    consent: Consent = Consent.objects.create(organization=cast.organization, scope=scope, **fields)
    item = show.avatar if scope == "face" else show.voice
    item.consent = consent
    item.save()
    return consent


def refusal(cast: Cast, show: Show) -> tuple[str, str, str]:
    """(field, code, message) of the one thing that keeps it from starting."""
    show.refresh_from_db()
    with pytest.raises(ShowNotReadyError) as caught:
        start_broadcast(show=show, actor=cast.alice)
    (detail,) = caught.value.details
    return detail.field, detail.code, detail.message


@pytest.fixture
def _person(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an engine of portraits has it."""
    entries = tuple(replace(e, needs_consent=e.name == "puppet") for e in catalog.ENGINES)
    monkeypatch.setattr(catalog, "ENGINES", entries)


def test_built_in_presenters_and_voices_need_none(cast: Cast) -> None:
    assert put_live(cast).state == "live"


@pytest.mark.usefixtures("_person")
def test_show_with_a_real_person_needs_a_documented_consent(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    name = show.avatar.name

    missing = refusal(cast, show)
    consent = consent_of(cast, show, document="")
    undocumented = refusal(cast, show)
    Consent.objects.update(document="consents/x.pdf")

    assert missing[:2] == ("avatar", "consent_missing")
    assert missing[2] == f"“{name}” is of a real person: put their consent on record first."
    assert undocumented[1] == "consent_no_document"
    assert consent.subject in undocumented[2]
    show.refresh_from_db()
    assert start_broadcast(show=show, actor=cast.alice)


@pytest.mark.parametrize("scope", ["face", "voice"])
@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"revoked_at": timezone.now()}, "consent_revoked"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "consent_expired"),
        ({"shows": ["01a1fcb4-d593-7b4e-8e42-a64049267d48"]}, "consent_other_show"),
    ],
)
def test_show_does_not_start_with_a_consent_that_does_not_hold(
    cast: Cast, scope: str, values: dict[str, Any], code: str
) -> None:
    show = make_show(cast.organization, cast.alice)
    consent_of(cast, show, scope, **values)

    field, found, message = refusal(cast, show)

    assert field == ("avatar" if scope == "face" else "voice")
    assert found == code
    assert "Lin Xia" in message


@pytest.mark.parametrize("scope", ["face", "voice"])
@pytest.mark.parametrize("is_allowed", [False, True])
def test_show_that_sells_needs_a_consent_for_commercial_use(
    cast: Cast, scope: str, is_allowed: bool
) -> None:
    show = make_show(cast.organization, cast.alice, is_commercial=True)
    consent_of(cast, show, scope, is_commercial=is_allowed)
    show.refresh_from_db()

    if is_allowed:
        assert start_broadcast(show=show, actor=cast.alice)
        return
    field, code, message = refusal(cast, show)
    assert (field, code) == ("avatar" if scope == "face" else "voice", "consent_not_commercial")
    assert message.startswith("The consent of Lin Xia for “")
    with translation.override("zh-hans"):
        assert translate_reason(message).endswith("的授权不包含商业用途。")


def test_show_that_does_not_sell_takes_any_consent(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    consent_of(cast, show, is_commercial=False, territory="CN")
    show.refresh_from_db()

    assert start_broadcast(show=show, actor=cast.alice)


@pytest.mark.parametrize(
    ("began_as", "state"), [(True, "stopping"), (False, "live"), (None, "live")]
)
def test_commercial_use_taken_back_ends_what_began_as_a_show_that_sells(
    cast: Cast, began_as: bool | None, state: str
) -> None:
    broadcast = put_live(cast, is_commercial=bool(began_as))
    consent_of(cast, broadcast.show, is_commercial=False)
    Show.objects.update(is_commercial=True)
    if began_as is None:  # before shows had the mark
        del broadcast.snapshot["is_commercial"]
        broadcast.save()

    assert end_without_consent(timezone.now()) == (state == "stopping")

    broadcast.refresh_from_db()
    assert broadcast.state == state
    if state == "stopping":
        assert broadcast.reason.endswith("is not for commercial use.")


def test_filmed_presenter_needs_a_consent(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    Avatar.objects.filter(pk=show.avatar_id).update(engine="musetalk")

    assert refusal(cast, show)[:2] == ("avatar", "consent_missing")


def test_show_does_not_start_when_a_fallback_voice_may_not_be_used(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    spare = VoiceFactory(organization=cast.organization)
    VoiceFallback.objects.create(voice=show.voice, fallback=spare, position=0)
    consent = Consent.objects.create(
        organization=cast.organization, subject="Lin Xia", scope="voice", revoked_at=timezone.now()
    )
    Voice.objects.filter(pk=spare.pk).update(consent=consent)

    assert refusal(cast, show)[:2] == ("voice", "consent_revoked")


def test_consent_for_this_show_lets_it_start(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    consent_of(cast, show, shows=[str(show.pk)])
    show.refresh_from_db()

    assert start_broadcast(show=show, actor=cast.alice)


def test_revocation_stops_what_uses_it_at_once_and_nothing_else(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    broadcast = put_live(cast)
    other = put_live(cast, avatar=Avatar.objects.for_organization(cast.organization)[1])
    assert other.show.avatar_id != broadcast.show.avatar_id
    consent = consent_of(cast, broadcast.show)

    with django_capture_on_commit_callbacks(execute=True):
        revoke_consent(consent=consent, reason="", actor=cast.alice)

    broadcast.refresh_from_db()
    other.refresh_from_db()
    assert (broadcast.state, other.state) == ("stopping", "live")
    name = broadcast.show.avatar.name
    assert broadcast.reason == f"The consent of Lin Xia for “{name}” was revoked."
    command = broadcast.commands.get(name="stop")
    assert command.args == {"when": "now", "reason": broadcast.reason, "limit_seconds": 3.0}
    entry = AuditEntry.objects.get(action="streams.broadcast.consent_ended")
    assert (entry.actor, entry.data) == (None, {"problem": "revoked"})


def test_control_loop_stops_what_expires_on_air_once(cast: Cast) -> None:
    broadcast = put_live(cast)
    consent_of(cast, broadcast.show, "voice", expires_at=timezone.now() + timedelta(minutes=5))

    before = end_without_consent(timezone.now())
    after = end_without_consent(timezone.now() + timedelta(minutes=5))
    again = end_without_consent(timezone.now() + timedelta(minutes=6))

    assert (before, after, again) == (0, 1, 0)
    broadcast.refresh_from_db()
    assert broadcast.state == "stopping"


def test_revocation_ends_at_once_what_was_to_finish_its_sentence(cast: Cast) -> None:
    broadcast = put_live(cast)
    consent = consent_of(cast, broadcast.show)
    stop_broadcast(broadcast=broadcast, actor=cast.alice, when="sentence_end")

    Consent.objects.filter(pk=consent.pk).update(revoked_at=timezone.now())
    found = end_without_consent(timezone.now())

    assert found == 1
    assert broadcast.commands.order_by("created_at").last().args["when"] == "now"


def test_runner_without_consent_is_told_and_killed_within_ten_seconds_whoever_else_stops(
    cast: Cast,
) -> None:
    launcher = PaperLauncher()
    broadcast = start_broadcast(show=make_show(cast.organization, cast.alice), actor=cast.alice)
    launch_due(launcher)
    consent = consent_of(cast, broadcast.show)
    Consent.objects.filter(pk=consent.pk).update(revoked_at=timezone.now())
    end_without_consent(timezone.now())
    stop_broadcast(broadcast=broadcast, actor=cast.alice, when="sentence_end")

    began = timezone.now()
    insist(launcher, began + timedelta(seconds=2), may_judge=False)
    early = list(launcher.stopped)
    insist(launcher, began + timedelta(seconds=4), may_judge=False)
    told = list(launcher.stopped)
    insist(launcher, timezone.now() + timedelta(seconds=3), may_judge=False)

    assert (early, told) == ([], [(1, False)])
    assert launcher.stopped == [(1, False), (1, True)]
