"""ICE servers and addresses that viewers and runners are told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any

from streams.services.ice import VIEWER_SECONDS, ice_servers, ice_spec


def test_shared_secret_becomes_credentials_that_end(settings: Any) -> None:
    settings.ICE_SERVERS = ({"urls": ["turn:turn.example.org"], "secret": "shared"},)

    (server,) = ice_servers("alice")

    assert set(server) == {"urls", "username", "credential"}
    ends, name = server["username"].split(":")
    assert name == "alice"
    assert 0 <= time.time() + VIEWER_SECONDS - int(ends) < 60
    expected = hmac.digest(b"shared", server["username"].encode(), hashlib.sha1)
    assert base64.b64decode(server["credential"]) == expected


def test_fixed_credentials_and_stun_pass_as_they_are(settings: Any) -> None:
    stun = {"urls": ["stun:stun.example.org"]}
    turn = {"urls": ["turn:turn.example.org"], "username": "u", "credential": "c"}
    settings.ICE_SERVERS = (stun, turn)

    assert ice_servers("alice") == (stun, turn)


def test_embedded_offers_loopback_and_the_machine(settings: Any) -> None:
    settings.IS_PRODUCTION = False
    settings.ICE_HOST_ADDRESSES = ()
    assert ice_spec("b").host_addresses == ("127.0.0.1", "machine")

    settings.ICE_HOST_ADDRESSES = ("10.1.2.3",)
    assert ice_spec("b").host_addresses == ("10.1.2.3",)


def test_production_offers_no_loopback_by_itself(settings: Any) -> None:
    settings.IS_PRODUCTION = True
    settings.ICE_HOST_ADDRESSES = ()

    assert ice_spec("b").host_addresses == ()
