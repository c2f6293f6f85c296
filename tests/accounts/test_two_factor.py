"""Two-factor sign-in: the API, the admin, and what guessing meets."""

from __future__ import annotations

import base64
import hmac
import re
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.test import Client
from django.utils import timezone, translation

from accounts.errors import SignInLockedError, TwoFactorOffError, TwoFactorOnError
from accounts.models import AuditEntry, RecoveryCode, TotpDevice, User
from accounts.services import two_factor
from accounts.services.locks import WRONG_GUESSES_ALLOWED, take_guess
from livestudio.common.reasons import translate_reason
from tests.factories import PASSWORD, Cast, UserFactory, api_client, error_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]

TOTP = "/api/v1/auth/totp/"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Time stands still, so that a code is of the step that the test means."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def code_of(secret: str, *, steps: int = 0) -> str:
    """The code of an app now. Source: RFC 4226, section 5.3; RFC 6238, section 4."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    offset = digest[-1] & 15
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def switch_on(user: User) -> tuple[str, list[str]]:
    """(the secret, the recovery codes) of a user with two-factor sign-in. Uses the code of now."""
    secret = two_factor.enrol(user=user).secret
    return secret, two_factor.confirm(user=user, code=code_of(secret))


def sign_in(username: str = "alice", **more: str) -> Any:
    body = {"username": username, "password": PASSWORD, **more}
    return api_client().post("/api/v1/auth/token/", body)


def test_asked_twice_at_once_it_gives_one_secret(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tabs, or a double click: the second waits until the first is done."""
    first: list[two_factor.Enrolment] = []

    def wait(user: User) -> None:
        if not first:
            first.append(two_factor.Enrolment("", "", ""))
            first[0] = two_factor.enrol(user=User.objects.get(pk=user.pk))
        wait_for_turn(user)

    wait_for_turn = two_factor._wait_for_turn
    monkeypatch.setattr(two_factor, "_wait_for_turn", wait)

    second = two_factor.enrol(user=cast.alice)

    assert second == first[0]
    assert two_factor.pending_enrolment(cast.alice) == second


def test_a_user_switches_it_on_and_then_needs_a_code(cast: Cast, clock: Any) -> None:
    client = api_client(cast.alice)

    before = client.get(TOTP).json()
    begun = client.post(TOTP, {"password": PASSWORD})
    secret = begun.json()["secret"]
    without = sign_in()
    confirmed = client.post(f"{TOTP}confirm/", {"code": code_of(secret)})
    clock.shift(timedelta(seconds=30))

    assert before == {"is_on": False, "since": None, "recovery_codes_left": 0}
    assert begun.status_code == 201
    assert begun.json()["uri"].startswith("otpauth://totp/LiveStudio:alice?")
    assert begun.json()["qr"].startswith("data:image/svg+xml")
    assert without.status_code == 200  # only a confirmed app counts
    assert len(set(confirmed.json()["recovery_codes"])) == 10
    assert error_of(sign_in())["code"] == "second_factor_required"
    assert sign_in(code=code_of(secret)).status_code == 200
    assert client.get(TOTP).json()["is_on"]
    assert AuditEntry.objects.filter(action="accounts.two_factor.switched_on").exists()


def test_a_code_works_once_and_one_step_around_now(cast: Cast, clock: Any) -> None:
    secret, _ = switch_on(cast.alice)
    clock.shift(timedelta(seconds=120))

    late = sign_in(code=code_of(secret, steps=-1))
    again = sign_in(code=code_of(secret, steps=-1))
    ahead = sign_in(code=code_of(secret, steps=1))
    too_old = sign_in(code=code_of(secret, steps=-2))

    assert [late.status_code, ahead.status_code] == [200, 200]
    assert error_of(again)["code"] == error_of(too_old)["code"] == "second_factor_invalid"


def test_wrong_codes_lock_with_the_seconds_left(cast: Cast, clock: Any) -> None:
    secret, _ = switch_on(cast.alice)
    for _ in range(5):
        assert error_of(sign_in(code="000000"))["code"] == "second_factor_invalid"
    clock.shift(timedelta(seconds=100))

    locked = sign_in(code=code_of(secret))
    elsewhere = sign_in("bob")
    clock.shift(timedelta(seconds=201))
    later = sign_in(code=code_of(secret))

    assert locked.status_code == 429
    assert error_of(locked)["code"] == "sign_in_locked"
    assert locked["Retry-After"] == "200"
    assert (elsewhere.status_code, later.status_code) == (200, 200)


def test_recovery_code_signs_in_once(cast: Cast, clock: Any) -> None:
    _, codes = switch_on(cast.alice)

    first, again = sign_in(code=codes[0].upper()), sign_in(code=codes[0])

    assert first.status_code == 200
    assert error_of(again)["code"] == "second_factor_invalid"
    assert api_client(cast.alice).get(TOTP).json()["recovery_codes_left"] == 9


def test_recovery_codes_can_be_renewed(cast: Cast, clock: Any) -> None:
    _, old = switch_on(cast.alice)

    answer = api_client(cast.alice).post(f"{TOTP}recovery-codes/", {"code": old[0]})

    assert answer.status_code == 200
    assert len(answer.json()["recovery_codes"]) == 10
    assert error_of(sign_in(code=old[1]))["code"] == "second_factor_invalid"


def test_switching_off_needs_password_and_code(cast: Cast, clock: Any) -> None:
    secret, _ = switch_on(cast.alice)
    clock.shift(timedelta(seconds=30))
    client, body = api_client(cast.alice), {"password": PASSWORD, "code": code_of(secret)}

    no_code = client.post(f"{TOTP}off/", {**body, "code": "123456"})
    no_password = client.post(f"{TOTP}off/", {**body, "password": "wrong"})
    assert two_factor.is_on(cast.alice)
    off = client.post(f"{TOTP}off/", body)

    assert (no_code.status_code, no_password.status_code, off.status_code) == (401, 401, 204)
    assert sign_in().status_code == 200
    assert not RecoveryCode.objects.exists()


def test_beginning_again_does_not_replace_an_app_in_use(cast: Cast, clock: Any) -> None:
    switch_on(cast.alice)

    answer = api_client(cast.alice).post(TOTP, {"password": PASSWORD})

    assert answer.status_code == 409
    assert error_of(answer)["code"] == "two_factor_on"


def test_code_of_an_app_that_was_replaced_meanwhile_switches_nothing_on(
    cast: Cast, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = two_factor.enrol(user=cast.alice).secret
    judge = two_factor._judge

    def judge_then_begin_anew(user: User, *, is_right: bool) -> None:
        judge(user, is_right=is_right)
        two_factor.enrol(user=user)

    monkeypatch.setattr(two_factor, "_judge", judge_then_begin_anew)

    with pytest.raises(TwoFactorOffError):
        two_factor.confirm(user=cast.alice, code=code_of(secret))

    assert not two_factor.is_on(cast.alice)
    assert not RecoveryCode.objects.exists()


def test_beginning_needs_the_password(cast: Cast) -> None:
    answer = api_client(cast.alice).post(TOTP, {"password": "stolen-token-only"})

    assert answer.status_code == 401
    assert not TotpDevice.objects.exists()


def test_no_row_shows_secret_or_recovery_codes(cast: Cast, clock: Any) -> None:
    secret, codes = switch_on(cast.alice)

    rows = str([*TotpDevice.objects.values(), *RecoveryCode.objects.values()])

    assert secret not in rows
    assert not any(code in rows or code.replace("-", "") in rows for code in codes)


def test_admin_asks_for_the_code_too(cast: Cast, clock: Any) -> None:
    secret, _ = switch_on(cast.alice)
    clock.shift(timedelta(seconds=30))
    form = {"username": "alice", "password": PASSWORD}

    without = Client().post("/admin/login/", form)
    wrong = Client().post("/admin/login/", {**form, "code": "000000"})
    right = Client().post("/admin/login/", {**form, "code": code_of(secret)})

    assert "请同时输入验证器应用中的验证码" in without.content.decode()
    assert "验证码错误" in wrong.content.decode()
    assert (without.status_code, wrong.status_code, right.status_code) == (200, 200, 302)


def test_admin_locks_after_wrong_codes(cast: Cast, clock: Any) -> None:
    secret, _ = switch_on(cast.alice)
    form = {"username": "alice", "password": PASSWORD}
    for _ in range(5):
        Client().post("/admin/login/", {**form, "code": "000000"})
    clock.shift(timedelta(seconds=30))

    answer = Client().post("/admin/login/", {**form, "code": code_of(secret)})

    assert answer.status_code == 429
    assert answer["Retry-After"] == "270"


@pytest.mark.usefixtures("still_clock")
def test_admin_limits_tries_of_an_address(cast: Cast, settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "sign_in": 2}
    names = ("alice", "bob", "charlie")

    answers = [
        Client().post("/admin/login/", {"username": name, "password": "wrong"}) for name in names
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[2]["Retry-After"]) <= 60


def test_admin_page_switches_it_on_and_off(cast: Cast, clock: Any) -> None:
    admin = Client()
    admin.force_login(cast.bob)
    address = "/admin/two-factor/"

    refused = admin.post(address, {"step": "begin", "password": "wrong"})
    admin.post(address, {"step": "begin", "password": PASSWORD})
    page = admin.get(address).content.decode()
    found = re.search(r"<code class=\"secret\">([A-Z2-7]{32})</code>", page)
    assert found is not None
    secret = found.group(1)
    codes = admin.post(address, {"step": "confirm", "code": code_of(secret)})
    clock.shift(timedelta(seconds=30))

    assert refused.status_code == 401
    assert "no-store" in codes["Cache-Control"]
    assert two_factor.is_on(cast.bob)
    assert secret not in admin.get(address).content.decode()
    admin.post(address, {"step": "off", "password": PASSWORD, "code": code_of(secret)})
    assert not two_factor.is_on(cast.bob)


def test_admin_page_begins_anew_where_the_secret_cannot_be_read(
    cast: Cast, clock: Any, settings: Any
) -> None:
    two_factor.enrol(user=cast.alice)
    settings.FIELD_KEYS = (Fernet.generate_key().decode(),)
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(cast.alice)

    page = browser.get("/admin/two-factor/")
    begun = browser.post("/admin/two-factor/", {"step": "begin", "password": PASSWORD}, follow=True)

    assert page.status_code == 200
    assert 'name="password"' in page.content.decode()
    assert 'name="code"' in begun.content.decode()


def test_admin_page_refuses_in_the_language_of_its_reader(cast: Cast, clock: Any) -> None:
    switch_on(cast.alice)
    browser = Client(headers={"accept-language": "zh-Hans"})
    browser.force_login(cast.alice)

    answer = browser.post("/admin/two-factor/", {"step": "begin", "password": PASSWORD})

    assert answer.status_code == TwoFactorOnError.status
    page = answer.content.decode()
    with translation.override("zh-hans"):
        assert translate_reason(TwoFactorOnError.message) in page
    assert TwoFactorOnError.message not in page


def test_superuser_helps_who_lost_the_app(cast: Cast, clock: Any) -> None:
    switch_on(cast.alice)
    root = UserFactory(is_superuser=True, is_staff=True)
    admin = Client()
    admin.force_login(root)

    admin.post(
        "/admin/accounts/user/",
        {"action": "switch_two_factor_off", "_selected_action": str(cast.alice.pk)},
    )

    assert sign_in().status_code == 200
    entry = AuditEntry.objects.get(action="accounts.two_factor.switched_off")
    assert (entry.actor, entry.object_id) == (root, str(cast.alice.pk))


def test_codes_that_are_not_judged_yet_count_so_that_many_at_once_are_no_more() -> None:
    taken = 0
    for _ in range(40):
        with suppress(SignInLockedError):
            take_guess("code:somebody")
            taken += 1

    assert taken == WRONG_GUESSES_ALLOWED
