"""The admin: each organization sees, chooses from and acts on its own rows only."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.audit import record
from accounts.models import AuditEntry, Membership, User
from accounts.roles import ALL_PERMISSIONS, SYSTEM, Role
from accounts.services import members
from avatars.models import Avatar
from livestudio.common.admin_site import studio_site
from streams.models import Show
from tests.factories import (
    PASSWORD,
    AvatarFactory,
    Cast,
    UserFactory,
    VoiceFactory,
    add_member,
    make_cast,
)
from voices.models import Voice

pytestmark = [pytest.mark.django_db, pytest.mark.database]

VOICES = "/admin/voices/voice/"
INLINE = {
    "fallback_links-TOTAL_FORMS": "0",
    "fallback_links-INITIAL_FORMS": "0",
    "fallback_links-MIN_NUM_FORMS": "0",
    "fallback_links-MAX_NUM_FORMS": "1000",
    "pronunciations-TOTAL_FORMS": "0",
    "pronunciations-INITIAL_FORMS": "0",
}


@pytest.fixture
def cast() -> Cast:
    cache.clear()
    return make_cast()


def admin_of(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def voice_form(voice: Any, **changes: str) -> dict[str, str]:
    return {
        "organization": str(voice.organization_id),
        "name": voice.name,
        "engine": voice.engine,
        "language": voice.language,
        **INLINE,
        **changes,
    }


def options_of(page: Any, field: str) -> set[str]:
    html = page.content.decode()
    select = re.search(rf'<select name="{field}".*?</select>', html, re.DOTALL)
    assert select is not None, f"no choice of {field}"
    return set(re.findall(r'value="([^"]+)"', select.group()))


def test_operator_signs_in_and_sees_own_rows(cast: Cast) -> None:
    client = Client()

    answer = client.post("/admin/login/?next=/admin/", {"username": "Bob", "password": PASSWORD})
    page = client.get(VOICES).content.decode()

    assert answer.status_code == 302
    own = Voice.objects.filter(organization=cast.organization)
    foreign = Voice.objects.filter(organization=cast.elsewhere)
    assert all(str(voice.pk) in page for voice in own)
    assert not any(str(voice.pk) in page for voice in foreign)
    assert cast.elsewhere.name not in page


def test_viewer_and_stranger_do_not_get_in(cast: Cast) -> None:
    viewer = add_member(cast.organization, Role.VIEWER)

    for user in (viewer, UserFactory()):
        answer = admin_of(user).get("/admin/")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


def test_row_of_others_is_not_there(cast: Cast) -> None:
    foreign = VoiceFactory(organization=cast.organization)
    client = admin_of(cast.charlie)

    for path in ("change", "delete", "history"):
        answer = client.get(f"{VOICES}{foreign.pk}/{path}/")
        assert answer.status_code == 302, path
        assert answer["Location"] == "/admin/"
    client.post(f"{VOICES}{foreign.pk}/change/", voice_form(foreign, name="Taken over"))
    client.post(
        VOICES,
        {"action": "delete_selected", "_selected_action": str(foreign.pk), "post": "yes"},
    )

    foreign.refresh_from_db()
    assert foreign.name != "Taken over"


def test_operator_may_look_and_not_change(cast: Cast) -> None:
    voice = VoiceFactory(organization=cast.organization)
    client = admin_of(cast.bob)

    seen = client.get(f"{VOICES}{voice.pk}/change/")
    changed = client.post(f"{VOICES}{voice.pk}/change/", voice_form(voice, name="New"))
    added = client.get(f"{VOICES}add/")

    assert seen.status_code == 200
    assert b'name="name"' not in seen.content
    assert changed.status_code == added.status_code == 403


def test_producer_changes_through_the_service(cast: Cast) -> None:
    producer = add_member(cast.organization, Role.PRODUCER)
    voice = VoiceFactory(organization=cast.organization)

    answer = admin_of(producer).post(
        f"{VOICES}{voice.pk}/change/", voice_form(voice, name="Evening")
    )

    assert answer.status_code == 302
    voice.refresh_from_db()
    assert voice.name == "Evening"
    assert AuditEntry.objects.filter(actor=producer, action="voices.voice.changed").exists()


def test_producer_makes_avatars_and_voices_for_the_own_organization_only(cast: Cast) -> None:
    producer = add_member(cast.organization, Role.PRODUCER)
    client = admin_of(producer)
    draft = VoiceFactory.build(organization=cast.organization, name="Fresh")

    offered = options_of(client.get(f"{VOICES}add/"), "organization")
    made = client.post(f"{VOICES}add/", voice_form(draft))
    smuggled = client.post(
        f"{VOICES}add/", voice_form(draft, name="Other", organization=str(cast.elsewhere.pk))
    )

    assert offered == {str(cast.organization.pk)}
    assert made.status_code == 302
    assert Voice.objects.get(name="Fresh").organization == cast.organization
    assert smuggled.status_code == 200
    assert not Voice.objects.filter(name="Other").exists()


def test_wrong_settings_are_told_in_the_form(cast: Cast) -> None:
    voice = VoiceFactory(organization=cast.organization)

    answer = admin_of(cast.alice).post(
        f"{VOICES}{voice.pk}/change/", voice_form(voice, espeak__gender="robot")
    )

    assert answer.status_code == 200
    assert b"robot is not one of the available choices" in answer.content


def test_row_stays_with_its_organization(cast: Cast) -> None:
    members.set_role(
        organization=cast.elsewhere, user=cast.alice, role=Role.OWNER, actor=cast.charlie
    )
    voice = VoiceFactory(organization=cast.organization)

    admin_of(cast.alice).post(
        f"{VOICES}{voice.pk}/change/",
        voice_form(voice, organization=str(cast.elsewhere.pk)),
    )

    voice.refresh_from_db()
    assert voice.organization == cast.organization


def test_fallback_of_another_organization_is_refused_even_to_a_member_of_both(
    cast: Cast,
) -> None:
    members.set_role(
        organization=cast.elsewhere, user=cast.alice, role=Role.OWNER, actor=cast.charlie
    )
    voice = VoiceFactory(organization=cast.organization)
    foreign = VoiceFactory(organization=cast.elsewhere)
    inline = {
        "fallback_links-TOTAL_FORMS": "1",
        "fallback_links-0-voice": str(voice.pk),
        "fallback_links-0-fallback": str(foreign.pk),
        "fallback_links-0-position": "0",
    }

    answer = admin_of(cast.alice).post(f"{VOICES}{voice.pk}/change/", voice_form(voice, **inline))

    assert answer.status_code == 200
    assert voice.fallback_links.count() == 0


def test_filters_offer_no_organization_of_others(cast: Cast) -> None:
    page = admin_of(cast.alice).get(VOICES).content.decode()

    assert str(cast.elsewhere.pk) not in page
    assert cast.elsewhere.name not in page


def test_avatar_shows_its_picture_and_goes_only_when_no_show_needs_it(cast: Cast) -> None:
    avatar = AvatarFactory(organization=cast.organization)
    voice = VoiceFactory(organization=cast.organization)
    show = Show.objects.create(
        organization=cast.organization, title="News", avatar=avatar, voice=voice
    )
    client, address = admin_of(cast.alice), f"/admin/avatars/avatar/{avatar.pk}/"

    page = client.get(f"{address}change/")
    refused = client.post(f"{address}delete/", {"post": "yes"})
    show.delete()
    deleted = client.post(f"{address}delete/", {"post": "yes"})

    assert b"/preview/?signature=" in page.content
    assert refused.status_code == 200
    assert deleted.status_code == 302
    assert not Avatar.objects.filter(pk=avatar.pk).exists()


def test_owner_manages_members_and_cannot_leave_nobody_in_charge(cast: Cast) -> None:
    client = admin_of(cast.alice)
    bobs, own = cast.bob.memberships.get(), cast.alice.memberships.get()
    address = "/admin/accounts/membership/{}/change/"

    raised = client.post(address.format(bobs.pk), {"role": "producer"})
    left = client.post(address.format(own.pk), {"role": "viewer"}, follow=True)

    bobs.refresh_from_db()
    own.refresh_from_db()
    assert raised.status_code == 302
    assert bobs.role == Role.PRODUCER
    assert own.role == Role.OWNER
    assert b"at least one owner" in left.content


def test_members_choose_only_people_they_know(cast: Cast) -> None:
    page = admin_of(cast.alice).get("/admin/accounts/membership/add/")

    assert options_of(page, "user") == {str(cast.alice.pk), str(cast.bob.pk)}


def test_audit_is_read_only_and_for_owners(cast: Cast) -> None:
    entry = record(SYSTEM, "tests.thing.done", cast.organization)
    foreign = record(SYSTEM, "tests.other.done", cast.elsewhere)
    owner, operator = admin_of(cast.alice), admin_of(cast.bob)
    address = "/admin/accounts/auditentry/"

    page = owner.get(address).content.decode()
    changed = owner.post(f"{address}{entry.pk}/change/", {"action": "x"})

    assert str(entry.pk) in page
    assert str(foreign.pk) not in page
    assert changed.status_code == 403
    assert owner.get(f"{address}add/").status_code == 403
    assert operator.get(address).status_code == 403


def test_users_are_for_superusers(cast: Cast) -> None:
    root = UserFactory(is_superuser=True, is_staff=True)

    assert admin_of(cast.alice).get("/admin/accounts/user/").status_code == 403
    page = admin_of(root).get("/admin/accounts/user/").content.decode()
    assert "charlie" in page
    made = admin_of(root).post(
        "/admin/accounts/user/add/",
        {
            "username": "Erin",
            "email": "erin@example.org",
            "usable_password": "true",
            "password1": "a-long-enough-secret",
            "password2": "a-long-enough-secret",
        },
    )
    assert made.status_code == 302, made.content
    assert User.objects.get(username="erin").check_password("a-long-enough-secret")
    assert not Membership.objects.filter(user__username="erin").exists()


def test_admin_sign_in_locks_like_the_api(cast: Cast) -> None:
    client = Client()
    for _ in range(5):
        client.post("/admin/login/", {"username": "alice", "password": "wrong"})

    answer = client.post("/admin/login/", {"username": "alice", "password": PASSWORD})

    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 300
    assert "密码或验证码错误次数过多" in answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/admin/",
        "/admin/accounts/organization/",
        "/admin/accounts/membership/",
        "/admin/accounts/consent/",
        "/admin/accounts/consent/add/",
        "/admin/avatars/avatar/",
        "/admin/avatars/avatar/add/",
        "/admin/voices/pronunciation/add/",
    ],
)
def test_pages_open_for_owners(cast: Cast, path: str) -> None:
    answer = admin_of(cast.alice).get(path)

    assert answer.status_code == 200
    assert cast.elsewhere.name not in answer.content.decode()


def test_what_a_host_works_with_comes_first(cast: Cast) -> None:
    apps = admin_of(cast.alice).get("/admin/").context["app_list"]

    labels = [app["app_label"] for app in apps]
    assert labels == ["streams", "avatars", "voices", "accounts", "metering", "webhooks"]
    names = [model["object_name"] for model in apps[0]["models"]]
    assert names == ["Show", "Broadcast", "Output", "Picture", "Recording"]


def test_menu_asks_for_all_rights_at_once(cast: Cast, django_assert_max_num_queries: Any) -> None:
    browser = admin_of(cast.alice)
    browser.get("/admin/streams/show/")  # what is read once in a process

    # Twenty kinds of rows with four rights each.
    with django_assert_max_num_queries(12):
        browser.get("/admin/streams/show/")


def test_rights_that_lists_ask_for_are_in_the_table() -> None:
    asked = {
        permission
        for admin in studio_site()._registry.values()
        for permission in (
            getattr(admin, "view_permission", None), getattr(admin, "edit_permission", None)
        )
        if permission is not None
    }  # fmt: skip

    assert asked
    assert asked <= ALL_PERMISSIONS


@pytest.mark.parametrize("role", [*Role, None])
def test_rights_of_the_menu_are_those_that_have_an_organization(
    cast: Cast, role: Role | None
) -> None:
    user = add_member(cast.organization, role) if role else UserFactory.create(is_superuser=True)

    found = {name for name in ALL_PERMISSIONS if user.organizations_where(name).exists()}

    assert user.permissions_somewhere() == found


def test_right_that_is_taken_is_missed_by_the_next_page(cast: Cast) -> None:
    browser = admin_of(cast.bob)
    before = browser.get("/admin/streams/broadcast/").status_code

    cast.bob.memberships.update(role=Role.VIEWER)

    assert (before, browser.get("/admin/voices/voice/add/").status_code) == (200, 403)


def test_producer_makes_and_changes_an_avatar(cast: Cast) -> None:
    client = admin_of(add_member(cast.organization, Role.PRODUCER))
    form = {
        "organization": str(cast.organization.pk),
        "name": "Anchor",
        "engine": "puppet",
        "presenter": "lin/knit",
        "licences": "",
        "clips-TOTAL_FORMS": "0",
        "clips-INITIAL_FORMS": "0",
        "builds-TOTAL_FORMS": "0",
        "builds-INITIAL_FORMS": "0",
    }

    made = client.post("/admin/avatars/avatar/add/", form)
    avatar = Avatar.objects.get(name="Anchor")
    address = f"/admin/avatars/avatar/{avatar.pk}/change/"
    changed = client.post(address, {**form, "name": "Host"})
    wrong = client.post(address, {**form, "presenter": "nobody/knit"})
    taken = client.post("/admin/avatars/avatar/add/", {**form, "name": "Host"})

    avatar.refresh_from_db()
    assert made.status_code == changed.status_code == 302
    assert avatar.name == "Host"
    assert wrong.status_code == 200
    assert b"nobody/knit is not one of the available choices" in wrong.content
    assert taken.status_code == 200
    assert b"errorlist" in taken.content
    assert Avatar.objects.filter(name="Host").count() == 1
