"""What tests of presenters share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings as site

from avatars import uploads
from tests.factories import Cast, make_cast


@pytest.fixture(autouse=True)
def _no_files_left() -> Iterator[None]:
    yield
    for folder in (site.MEDIA_ROOT, site.DATA_DIR / "bundles"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def unseen_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any bytes go to the build: for tests of what follows an upload, not of the upload."""
    monkeypatch.setattr(uploads, "look_inside", lambda *_: None)
