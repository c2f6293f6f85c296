"""Settings of the tests: the product's own, with data in a folder of their own.

SQLite and the in-memory channel layer; with DATABASE_URL and REDIS_URL set (`python -m
tests.services pytest -m database`) MariaDB and Redis.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# Each test process has its own: xdist workers must not share secrets, runs or recordings.
_data_folder = tempfile.mkdtemp(prefix="livestudio-tests-")
_owner_pid = os.getpid()


@atexit.register
def _remove_data() -> None:
    if os.getpid() == _owner_pid:
        shutil.rmtree(_data_folder, ignore_errors=True)


for _name in (
    "MODE",
    "HOST",
    "PORT",
    "LAUNCHER",
    "EGRESS_ALLOW",
    "REGISTRATION",
    "ALLOWED_HOSTS",
    "EMAIL_URL",
    "EMAIL_VERIFICATION",
):
    # What a developer exported for a demo must not decide what the tests see.
    os.environ.pop(_name, None)
if _redis_url := os.environ.get("REDIS_URL"):
    # A database of Redis for each xdist worker (gw0, gw1 …): they clear the cache between tests.
    _worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    os.environ["REDIS_URL"] = f"{_redis_url.rpartition('/')[0]}/{int(_worker) + 1}"
os.environ["DATA_DIR"] = _data_folder
os.environ["SECRET_KEY"] = "tests-only-" + "x" * 50
os.environ["TEST_ENGINES"] = "1"

from livestudio.settings import *  # noqa: E402, F403 - only after the environment is set
from livestudio.settings import DATA_DIR  # noqa: E402 - as above

ALLOWED_HOSTS = ["*"]
# bcrypt takes a quarter of a second on purpose; the cast signs in thousands of times.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir()  # whitenoise warns where it is missing
# A build of the frontend that runs beside the tests must not be served, nor looked at in each one.
STATICFILES_DIRS = []
WHITENOISE_USE_FINDERS = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
