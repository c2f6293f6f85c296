"""Token checks at an even rate in one process; prints how many milliseconds each took.

`python -m benchmarks.api_checks PER_SECOND SECONDS` with the environment of a site, the rows of
`api_rows` on stdin. `ours`: DeviceTokenAuthentication, with the device session and the password's
fingerprint. `reference`: simplejwt's JWTAuthentication, which looks for the user alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import django

WARM_UP = 50


def main(per_second: float, seconds: float) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestudio.settings")
    django.setup()
    # The models must be loaded before these are imported.
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory
    from rest_framework_simplejwt.authentication import JWTAuthentication

    from accounts.authentication import DeviceTokenAuthentication

    requests = [
        Request(APIRequestFactory().get("/", headers={"Authorization": f"Bearer {row['token']}"}))
        for row in json.load(sys.stdin)["customers"]
    ]
    checks = {"reference": JWTAuthentication(), "ours": DeviceTokenAuthentication()}
    found = {
        name: _paced(check.authenticate, requests, per_second, seconds)
        for name, check in checks.items()
    }
    json.dump(found, sys.stdout)


def _paced(
    check: Callable[[Any], Any], requests: list[Any], per_second: float, seconds: float
) -> list[float]:
    from django.db import close_old_connections

    times = []
    began = time.perf_counter()
    for number in range(WARM_UP + int(per_second * seconds)):
        if (wait := began + number / per_second - time.perf_counter()) > 0:
            time.sleep(wait)
        start = time.perf_counter()
        # As around each request: the connection is looked at before it is used again.
        close_old_connections()
        assert check(requests[number % len(requests)]) is not None
        times.append((time.perf_counter() - start) * 1000)
    return times[WARM_UP:]


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
