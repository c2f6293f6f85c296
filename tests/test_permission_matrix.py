"""Every route of the API, asked by everybody: who may, who is refused, who finds nothing.

The routes come from the URL conf: a new one without a row in ROWS fails the first test. The doors
beside the API (websockets, admin, pages, keys) have their tables in `tests/permissions/`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from livestudio.urls import api_patterns
from tests.factories import PASSWORD, error_of
from tests.permissions.asking import (
    ANYBODY,
    SECRET,
    SIGNED_IN,
    WATCH,
    Row,
    ask,
    ask_as,
    expected,
    is_collection,
    methods_of,
    routes,
    text_of,
)
from tests.permissions.stand_ins import SDP, put_stand_ins
from tests.permissions.world import (
    ANONYMOUS,
    STRANGER,
    SUPERUSER,
    Asker,
    World,
    keep_cached,
    make_askers,
    make_worlds,
)
from tests.streams.pictures import png_bytes
from tests.streams.plans import RTMP_URL, show_body

# Asked about every row in the fast tier; each of the others about every few rows.
ALWAYS = ("owner", "producer", "operator", "viewer", "owner elsewhere", "anonymous")
ROWS_IN_ONE_TEST = 14


def avatar_body(world: World) -> dict[str, Any]:
    return {"name": "New", "engine": "puppet", "settings": {"character": "lin"}}


def voice_body(world: World) -> dict[str, Any]:
    return {"name": "New", "engine": "espeak", "language": "en-US", "settings": {}}


def word_body(world: World) -> dict[str, Any]:
    return {"language": "zh-CN", "text": "长龙", "reading": "chang2 long2"}


def cue_body(world: World) -> dict[str, Any]:
    return {"text": "好。"}


def output_body(world: World) -> dict[str, Any]:
    return {"name": "New", "url": RTMP_URL, "stream_key": "a-new-stream-key"}


def key_body(world: World) -> dict[str, Any]:
    return {"stream_key": "a-new-stream-key"}


def picture_form() -> bytes:
    """A form with a file, as a browser sends it."""
    return encode_multipart(BOUNDARY, {"kind": "logo", "file": ContentFile(png_bytes(), "a.png")})


def film_form(world: World) -> bytes:
    """A film for a drawn presenter, who is not made of films."""
    return encode_multipart(BOUNDARY, {"file": ContentFile(b"film", "a.mp4")})


def document_form() -> bytes:
    """A form with a signed document."""
    return encode_multipart(BOUNDARY, {"file": ContentFile(b"%PDF-1.7\n%%EOF\n", "a.pdf")})


def key_draft(world: World) -> dict[str, Any]:
    return {"name": "Shop system", "scopes": ["show.edit"]}


def cue_order(world: World) -> list[str]:
    return [cue["id"] for cue in world.broadcast.snapshot["cues"]]


MANAGE = "organization.manage"
STEER = "broadcast.steer"
FORM = MULTIPART_CONTENT
ON_AIR = (409,)
ROWS = [
    Row("schema", "get", ANYBODY),
    Row("docs", "get", ANYBODY),
    Row("auth-options", "get", ANYBODY),
    Row("register", "post", ANYBODY, answers=(400,)),
    Row("token", "post", ANYBODY, answers=(400,)),
    Row("token-refresh", "post", ANYBODY, answers=(401,)),
    Row("logout", "post", SIGNED_IN),
    Row("devices", "get", SIGNED_IN),
    Row("device", "delete", SIGNED_IN, answers=(404,)),
    Row("password", "post", SIGNED_IN, answers=(400,)),
    Row("password-reset", "post", ANYBODY, answers=(400,)),
    Row("password-reset-confirm", "post", ANYBODY, answers=(400,)),
    Row("email-verify", "post", ANYBODY, answers=(400,)),
    Row("email-resend", "post", ANYBODY, answers=(400,)),
    Row("invitation-look", "post", ANYBODY, answers=(400,)),
    Row("invitation-accept", "post", SIGNED_IN, answers=(400,)),
    Row("totp", "get", SIGNED_IN),
    Row("totp", "post", SIGNED_IN, lambda world: {"password": PASSWORD}),
    Row("totp-confirm", "post", SIGNED_IN, lambda world: {"code": "000000"}, answers=ON_AIR),
    Row("totp-off", "post", SIGNED_IN, answers=(400,)),
    Row("totp-recovery-codes", "post", SIGNED_IN, lambda world: {"code": "000000"}, answers=ON_AIR),
    Row("me", "get", SIGNED_IN, is_for_keys=True),
    Row("members", "get", MANAGE),
    Row("member", "patch", MANAGE, lambda world: {"role": "producer"}),
    Row("member", "delete", MANAGE),
    Row("invitations", "get", MANAGE),
    Row("invitations", "post", MANAGE, lambda world: {"email": "new@example.org"}),
    Row("organization-invitation", "delete", MANAGE),
    Row("api-keys", "get", MANAGE),
    Row("api-keys", "post", MANAGE, key_draft),
    Row("api-key", "delete", MANAGE),
    Row("organizations", "post", SIGNED_IN, lambda world: {"name": "Second studio"}),
    Row("organization", "get", "organization.view"),
    Row("organization", "patch", MANAGE, lambda world: {"name": "New name"}),
    Row("organization", "delete", MANAGE, answers=(400,)),
    Row("organization-restore", "post", MANAGE),
    # 404: a superuser, who sees each organization, belongs to none.
    Row("organization-leave", "post", "organization.view", answers=(204, 400, 404)),
    Row("organization-transfer", "post", MANAGE, answers=(400,)),
    Row("exports", "get", MANAGE),
    Row("exports", "post", MANAGE),
    Row("export-file", "get", SECRET),
    Row("quota", "get", "organization.view"),
    Row("quota", "patch", MANAGE, lambda world: {"closing": "card"}),
    Row("usage", "get", "organization.view"),
    Row("usage-broadcasts", "get", "organization.view"),
    Row("usage-csv", "get", "organization.view"),
    Row("webhooks", "get", MANAGE),
    Row("webhooks", "post", MANAGE, lambda world: {"url": "http://127.0.0.1:9/new"}),
    Row("webhook", "get", MANAGE),
    Row("webhook", "patch", MANAGE, lambda world: {"description": "New"}),
    Row("webhook", "delete", MANAGE),
    Row("webhook-rotate-secret", "post", MANAGE),
    Row("webhook-test", "post", MANAGE),
    Row("webhook-deliveries", "get", MANAGE),
    Row("webhook-redeliver", "post", MANAGE),
    Row("consents", "get", "organization.view"),
    Row("consents", "post", MANAGE, lambda world: {"subject": "Lin", "scope": "face"}),
    Row("consent", "get", "organization.view"),
    Row("consent", "patch", MANAGE, lambda world: {"territory": "CN"}),
    Row("consent-revoke", "post", MANAGE),
    Row("consent-document", "post", MANAGE, lambda world: document_form(), FORM),
    Row("consent-file", "get", SECRET),
    Row("calendar", "get", "show.edit"),
    Row("calendar", "post", "show.edit"),
    Row("calendar", "delete", "show.edit"),
    Row("calendar-file", "get", SECRET),
    Row("audit", "get", "audit.view"),
    Row("audit-csv", "get", "audit.view"),
    Row("model-servers", "get", "avatar.view"),
    Row("avatars", "get", "avatar.view"),
    Row("avatars", "post", "avatar.edit", avatar_body),
    Row("avatar", "get", "avatar.view"),
    Row("avatar", "put", "avatar.edit", avatar_body),
    Row("avatar", "patch", "avatar.edit"),
    Row("avatar", "delete", "avatar.edit", answers=(409,)),
    Row("avatar-preview", "get", SECRET),
    Row("avatar-weights", "get", "avatar.view"),
    Row("avatar-clips", "get", "avatar.view"),
    Row(
        "avatar-clips",
        "post",
        "avatar.edit",
        lambda world: {"name": "Nod", "engine_name": "nod", "duration_ms": 500},
        answers=(201, 400),  # an engine may have no such motion
    ),
    Row("avatar-clip", "get", "avatar.view"),
    Row("avatar-clip", "delete", "avatar.edit"),
    Row("avatar-builds", "get", "avatar.view"),
    Row("avatar-builds", "post", "avatar.edit", film_form, FORM, answers=(400,)),
    Row("avatar-build", "get", "avatar.view"),
    Row("avatar-build-cancel", "post", "avatar.edit", answers=ON_AIR),
    Row("avatar-build-retry", "post", "avatar.edit", answers=ON_AIR),
    Row("avatar-build-bundle", "get", "avatar.edit", answers=(404,)),
    Row("avatar-build-use", "post", "avatar.edit", answers=ON_AIR),
    Row("avatar-build-preview", "get", SECRET),
    Row("voices", "get", "voice.view"),
    Row("voices", "post", "voice.edit", voice_body),
    Row("voice", "get", "voice.view"),
    Row("voice", "put", "voice.edit", voice_body),
    Row("voice", "patch", "voice.edit"),
    Row("voice", "delete", "voice.edit", answers=(409,)),
    Row("voice-preview", "post", "voice.view", lambda world: {"text": "好。"}),
    Row("pronunciations", "get", "voice.view"),
    Row("pronunciations", "post", "voice.edit", word_body),
    Row("pronunciation", "get", "voice.view"),
    Row("pronunciation", "patch", "voice.edit", lambda world: {"reading": "chong2"}),
    Row("pronunciation", "delete", "voice.edit"),
    Row("shows", "get", "show.view"),
    Row("shows", "post", "show.edit", lambda world: show_body(world.cast.organization)),
    Row("show", "get", "show.view"),
    Row("show", "patch", "show.edit", lambda world: {"title": "New"}),
    Row("show", "delete", "show.edit", answers=ON_AIR),
    Row("cues", "get", "show.view"),
    Row("cues", "post", "show.edit", cue_body),
    Row("cue", "get", "show.view"),
    Row("cue", "patch", "show.edit", cue_body),
    Row("cue", "delete", "show.edit"),
    Row("rundown", "put", "show.edit", cue_order),
    Row("occurrences", "get", "show.view"),
    Row("airings", "get", "show.view"),
    Row("show-start", "post", "broadcast.start", answers=ON_AIR),
    Row("outputs", "get", "output.view"),
    Row("outputs", "post", "output.edit", output_body),
    Row("output", "get", "output.view"),
    Row("output", "patch", "output.edit", lambda world: {"name": "New"}),
    Row("output", "delete", "output.edit", answers=ON_AIR),
    Row("output-rotate-key", "post", "output.edit", key_body),
    Row("pictures", "get", "show.view"),
    Row("pictures", "post", "show.edit", lambda world: picture_form(), FORM),
    Row("picture", "get", "show.view"),
    Row("picture", "delete", "show.edit"),
    Row("picture-file", "get", SECRET),
    Row("broadcasts", "get", "broadcast.view"),
    Row("broadcast", "get", "broadcast.view"),
    Row("broadcast-stop", "post", "broadcast.start"),
    Row("broadcast-say", "post", STEER, cue_body),
    Row("broadcast-interrupt", "post", STEER),
    Row("broadcast-pause", "post", STEER),
    Row("broadcast-resume", "post", STEER),
    Row("broadcast-skip", "post", STEER),
    Row("broadcast-take", "post", STEER, lambda world: {"cue": cue_order(world)[0]}),
    Row("broadcast-expression", "post", STEER, lambda world: {"name": "happy"}),
    Row("broadcast-gesture", "post", STEER, lambda world: {"name": "wave"}),
    Row("broadcast-clip", "post", STEER, lambda world: {"clip": str(world.clip.pk)}),
    Row("broadcast-record", "post", STEER, lambda world: {"on": True}),
    Row("broadcast-outputs", "get", "broadcast.view"),
    Row("broadcast-outputs", "post", STEER, lambda world: {"output": str(world.spare.pk)}),
    Row("broadcast-output-start", "post", STEER),
    Row("broadcast-output-stop", "post", STEER),
    Row("broadcast-output-replace-key", "post", "broadcast.replace_key", key_body),
    Row("utterances", "get", "broadcast.view"),
    Row("events", "get", "broadcast.view"),
    Row("metrics", "get", "broadcast.view"),
    Row("recordings", "get", "recording.view"),
    Row("broadcast-thumbnail", "get", WATCH),
    Row("whep", "post", WATCH, lambda world: SDP, "application/sdp"),
    Row("whep-viewer", "patch", SECRET, lambda world: "", "application/trickle-ice-sdpfrag"),
    Row("whep-viewer", "delete", SECRET),
    Row("recording-file", "get", WATCH),
    Row(
        "ws-tickets",
        "post",
        WATCH,
        lambda world: {"purpose": "watch", "broadcast": str(world.broadcast.pk)},
    ),
]


@pytest.fixture
def worlds(db: None) -> tuple[World, World]:
    return make_worlds()


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    put_stand_ins(monkeypatch)


def test_every_route_and_method_has_a_row() -> None:
    found = {(p.name, m) for p in routes(api_patterns) for m in methods_of(p)}
    written = [row.key for row in ROWS]

    missing, left_over = sorted(found - set(written)), sorted(set(written) - found)
    assert not missing, (
        f"Routes without a row: {missing}. For each add to ROWS in tests/test_permission_matrix.py "
        "Row(name, method, the permission it needs or a word of tests/permissions/asking.py, a "
        "function that makes a body it takes). A new name in an address goes into `World.ids` in "
        "tests/permissions/world.py."
    )
    assert not left_over, f"Rows of routes that are gone; delete them: {left_over}"
    assert len(written) == len(set(written))


def _parts(rows: list[Row]) -> list[list[Row]]:
    return [rows[at : at + ROWS_IN_ONE_TEST] for at in range(0, len(rows), ROWS_IN_ONE_TEST)]


@pytest.mark.parametrize("rows", _parts(ROWS), ids=lambda rows: f"from-{rows[0]}")
def test_everybody_is_answered_as_the_table_says(
    rows: list[Row], worlds: tuple[World, World]
) -> None:
    world, askers = worlds[0], make_askers(worlds[0])
    often = [asker for asker in askers if asker.name in ALWAYS]
    seldom = [asker for asker in askers if asker.name not in ALWAYS]

    wrong = []
    for row in rows:
        # Pairwise: each of the rest meets each rule within a few rows; all of it is `long`.
        extra = seldom[ROWS.index(row) % len(seldom)]
        wrong += _wrong_answers(row, world, [*often, extra])

    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("rows", _parts(ROWS), ids=lambda rows: f"from-{rows[0]}")
def test_full_product_is_answered_as_the_table_says(
    rows: list[Row], worlds: tuple[World, World]
) -> None:
    """Every row × everybody × both organizations: what is own to one is foreign to the other."""
    askers = make_askers(worlds[0])

    wrong = [text for row in rows for text in _wrong_answers(row, worlds[0], askers)]
    for row in rows:
        wrong += _wrong_answers(row, worlds[1], [_seen_from_there(asker) for asker in askers])

    assert not wrong, "\n".join(wrong)


def _seen_from_there(asker: Asker) -> Asker:
    """The same person as the second organization knows them."""
    if asker.role in (ANONYMOUS, SUPERUSER):
        return asker
    return replace(asker, role=asker.away or STRANGER)


def _wrong_answers(row: Row, world: World, askers: list[Asker]) -> list[str]:
    """One line for each answer that the table does not allow, or that tells too much."""
    keep_cached(world)
    marks, found = world.marks, []
    for asker in askers:
        answer = ask_as(row, world, asker)
        allowed, line = expected(row, asker), f"{row} by {asker.name}: {answer.status_code}"
        if answer.status_code not in allowed:
            found.append(f"{line}, not {allowed}: {text_of(answer)[:200]}")
        elif answer.status_code == 403 and error_of(answer)["code"] != "forbidden":
            found.append(f"{line} with another code: {text_of(answer)[:200]}")
        # What the stranger said in the address or the body is not news to them.
        said = str(answer.wsgi_request.path) + str(row.body(world))
        news = {mark for mark in marks if mark not in said}
        if asker.role in (STRANGER, ANONYMOUS):
            found += _leaks(news, answer, line)
        if asker.role == STRANGER and is_collection(row) and row.method == "get":
            own = ask(row, world, f"Bearer {asker.token}", names_organization=False)
            found += _leaks(news, own, f"{line} in the own list")
    return found


def _leaks(news: set[str], answer: Any, line: str) -> list[str]:
    told = [mark for mark in news if mark in text_of(answer)]
    return [f"{line} tells {told}"] if told else []
