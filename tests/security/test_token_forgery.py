"""Forged, stolen and outlived tokens: each is refused with 401 and a code of the contract."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import ApiKey, DeviceSession, User
from accounts.services import sessions
from tests.factories import PASSWORD, Cast, error_of, make_api_key, make_cast

pytestmark = pytest.mark.django_db

ME = "/api/v1/me/"
REFRESH = "/api/v1/auth/token/refresh/"
DEVICE = "0123456789abcdef0123456789abcdef"
NO_SIGN_IN = {"token_invalid", "signed_out", "device_mismatch", "not_authenticated"}


@pytest.fixture
def cast() -> Cast:
    cache.clear()
    return make_cast()


def open_session(user: User, *, is_bound: bool = True) -> sessions.SignIn:
    device = sessions.Device(id=DEVICE, name="laptop", is_bound=is_bound)
    return sessions.open_session(user=user, device=device)


def ask(authorization: str, device: str | None = DEVICE) -> Any:
    headers = {"Authorization": authorization}
    if device is not None:
        headers["X-Device-Id"] = device
    return APIClient(raise_request_exception=False).get(ME, headers=headers)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def resigned(token: str, key: str = settings.SECRET_KEY, **changes: Any) -> str:
    """The token with other claims, signed; None takes a claim away."""
    claims = {**claims_of(token), **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm="HS256")


def with_header(token: str, key: bytes, **header: Any) -> str:
    """The claims under a header of our own, with an HMAC of `key`; alg says which."""
    hashes = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}
    head = {"typ": "JWT", "alg": "HS256", **header}
    signed = f"{part(head)}.{part(claims_of(token))}"
    made = hmac.new(key, signed.encode(), hashes.get(head["alg"], hashlib.sha256)).digest()
    return f"{signed}.{part(made)}"


def forgeries(token: str) -> dict[str, str]:
    """Tokens that were never issued, by what is wrong with them."""
    head, body, signature = token.split(".")
    right = settings.SECRET_KEY.encode()
    none = {
        f"alg {alg}": f"{part({'alg': alg})}.{body}." for alg in ("none", "None", "NONE", "nOnE")
    }
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "RSA", "e": part(b"\x01\x00\x01"), "n": part(numbers.n.to_bytes(256, "big"))}
    by_rsa = jwt.encode(claims_of(token), private, algorithm="RS256", headers={"jwk": jwk})
    keys = {
        f"key {key!r}": with_header(token, key)
        for key in (b"", b"secret", b"\0", b"HS256", str(numbers.n).encode(), right[:-1])
    }
    kids = {
        f"kid {kid}": with_header(token, b"", kid=kid)
        for kid in ("../../../../dev/null", "' UNION SELECT ''--", "http://evil.test/k", "0")
    }
    edited = {**claims_of(token), "user_id": "00000000-0000-0000-0000-000000000000"}
    shapes = {
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "signature cut": f"{head}.{body}.{signature[:-4]}",
        "body edited": f"{head}.{part(edited)}.{signature}",
        "five parts": f"{token}.{body}.{signature}",
        "empty": "",
        "dots": "..",
        "no JSON": f"{part(b'{')}.{part(b'{')}.{signature}",
        "a list": f"{head}.{part([1])}.{signature}",
        "a null byte": f"{head}.{body}\0.{signature}",
        "deep": f"{part(b'[' * 50_000)}.{body}.{signature}",
        "long": f"{head}.{'A' * 200_000}.{signature}",
        "not ASCII": f"{head}.{body}.ключ",
        "surrounded": f"{head} .{body} .{signature}",
    }
    algorithms = {f"alg {alg}": with_header(token, right, alg=alg) for alg in ("HS384", "HS512")}
    confused = {
        "RS256 with our key": with_header(token, right, alg="RS256"),
        "RS256 with its own jwk": by_rsa,
        "jku": with_header(token, b"", jku="http://127.0.0.1/keys", alg="RS256"),
        "crit": with_header(token, right, crit=["exp"], exp=1),
        "b64 false": with_header(token, right, b64=False, crit=["b64"]),
    }
    return {**none, **keys, **kids, **shapes, **algorithms, **confused}


def test_token_that_was_never_issued_is_refused(cast: Cast) -> None:
    token = open_session(cast.alice).access
    assert ask(f"Bearer {token}").status_code == 200
    codes = {}

    for flaw, forged in forgeries(token).items():
        cache.clear()
        answer = ask(f"Bearer {forged}")
        codes[flaw] = (answer.status_code, error_of(answer)["code"])

    assert {code for _, code in codes.values()} <= NO_SIGN_IN, codes
    assert {status for status, _ in codes.values()} == {401}, codes


def test_claims_are_judged_even_with_our_signature(cast: Cast) -> None:
    """What a bug elsewhere, or a key that leaked yesterday and was changed, could leave behind."""
    token, theirs = open_session(cast.alice).access, open_session(cast.charlie)
    now = int(time.time())
    changes: dict[str, dict[str, Any]] = {
        "expired": {"exp": now - 1},
        "without end": {"exp": None},
        "issued tomorrow": {"iat": now + 86_400},
        "not yet": {"nbf": now + 3600},
        "no type": {"token_type": None},
        "refresh": {"token_type": "refresh"},
        "sliding": {"token_type": "sliding"},
        "no session": {"sid": None},
        "no id": {"jti": None},
        "session is no id": {"sid": "x"},
        "session of nobody": {"sid": "00000000-0000-7000-8000-000000000000"},
        "session of another": {"sid": str(theirs.session.pk)},
        "user of another": {"user_id": str(cast.charlie.pk)},
        "other device": {"dfp": claims_of(theirs.access)["dfp"][::-1]},
        "other password": {"pwf": "0" * 16},
        "other renewal": {"rid": "0" * 32},
        "no renewal": {"rid": None},
        "numbers for texts": {"sid": 1, "user_id": 1, "dfp": 1, "pwf": 1},
    }

    answers = {flaw: ask(f"Bearer {resigned(token, **change)}") for flaw, change in changes.items()}

    assert {flaw: a.status_code for flaw, a in answers.items()} == dict.fromkeys(changes, 401)
    assert {error_of(answer)["code"] for answer in answers.values()} <= NO_SIGN_IN


@pytest.mark.parametrize("sent", ["f" * 32, None, "", "0" * 31, "../" * 10, "\u202e" * 3])
def test_token_from_another_device_is_refused(cast: Cast, sent: str | None) -> None:
    token = open_session(cast.alice).access

    answer = ask(f"Bearer {token}", sent)

    assert answer.status_code == 401
    assert error_of(answer)["code"] == "device_mismatch"


@pytest.mark.parametrize("end", ["signed out", "deleted", "deactivated", "new password"])
def test_token_does_not_outlive_its_user_or_session(cast: Cast, end: str) -> None:
    opened = open_session(cast.alice)
    match end:
        case "signed out":
            sessions.sign_out(session=opened.session)
        case "deleted":
            DeviceSession.objects.filter(user=cast.alice).delete()
        case "deactivated":
            User.objects.filter(pk=cast.alice.pk).update(is_active=False)
        case _:
            cast.alice.set_password("another-horse-battery")
            cast.alice.save()

    answer = ask(f"Bearer {opened.access}")
    renewed = APIClient().post(
        REFRESH, {"refresh": opened.refresh}, headers={"X-Device-Id": DEVICE}
    )

    assert (answer.status_code, error_of(answer)["code"]) == (401, "signed_out")
    assert (renewed.status_code, error_of(renewed)["code"]) == (401, "signed_out")


def renew(refresh: str) -> Any:
    return APIClient().post(REFRESH, {"refresh": refresh}, headers={"X-Device-Id": DEVICE})


def renew_in_browser(refresh: str) -> Any:
    browser = APIClient()
    browser.cookies["livestudio_refresh"] = refresh
    return browser.post(REFRESH, {}, headers={"X-Device-Id": DEVICE})


@pytest.mark.parametrize("used", ["nothing", "access", "refresh"])
def test_stolen_refresh_token_ends_the_session_of_both(cast: Cast, used: str) -> None:
    opened = open_session(cast.alice)
    fresh = renew(opened.refresh).json()
    if used == "access":
        assert ask(f"Bearer {fresh['access']}").status_code == 200
    elif used == "refresh":
        fresh = renew(fresh["refresh"]).json()

    stolen = renew(opened.refresh)
    after = renew(fresh["refresh"])
    access = ask(f"Bearer {fresh['access']}")

    assert [answer.status_code for answer in (stolen, after, access)] == [401, 401, 401]


def test_thief_who_waits_until_the_answer_looks_lost_is_found_out(cast: Cast) -> None:
    """Whoever of the two renews with what the other made void ends the session of both."""
    opened = open_session(cast.alice)
    first = renew_in_browser(opened.refresh)
    with time_machine.travel(timezone.now() + 2 * sessions.REFRESH_GRACE, tick=False):
        second = renew_in_browser(opened.refresh)
        seen = [ask(f"Bearer {a.json()['access']}").status_code for a in (first, second)]
        voided = renew_in_browser(first.cookies["livestudio_refresh"].value)
        after = ask(f"Bearer {second.json()['access']}")

    assert seen == [401, 200]
    assert (voided.status_code, error_of(after)["code"]) == (401, "signed_out")


@pytest.mark.parametrize("sent", ["f" * 32, None])
def test_refresh_token_is_good_on_its_device_only(cast: Cast, sent: str | None) -> None:
    opened = open_session(cast.alice)

    headers = {"X-Device-Id": sent} if sent else {}
    answer = APIClient().post(REFRESH, {"refresh": opened.refresh}, headers=headers)

    assert (answer.status_code, error_of(answer)["code"]) == (401, "device_mismatch")


def test_credentials_do_not_pass_for_each_other(cast: Cast) -> None:
    opened = open_session(cast.alice)
    key = make_api_key(cast, "show.edit")[1]
    mixed = [
        f"Bearer {key}",
        f"Api-Key {opened.access}",
        f"Bearer {opened.refresh}",
        f"Basic {base64.b64encode(f'alice:{PASSWORD}'.encode()).decode()}",
        f"Token {opened.access}",
        opened.access,
        f"Bearer {opened.access}, Bearer {opened.access}",
        f"Api-Key {key[:-1]}",
        f"Api-Key {key.upper()}",
        "Api-Key ls_",
        "Api-Key ls_%",
        f"Api-Key {ApiKey.objects.get().prefix}_",
        f"Api-Key {ApiKey.objects.get().hashed}",
        "Bearer \u202e",
        "Api-Key " + "A" * 100_000,
    ]

    codes = [ask(sent).status_code for sent in mixed]

    assert codes == [401] * len(mixed)
    assert ask(f"bearer {opened.access}").status_code == 200  # RFC 9110: schemes know no case
