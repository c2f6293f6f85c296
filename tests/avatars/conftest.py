"""What tests of presenters share."""

from __future__ import annotations

import pytest

from avatars import uploads


@pytest.fixture
def unseen_uploads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any bytes go to the build: for tests of what follows an upload, not of the upload."""
    monkeypatch.setattr(uploads, "look_inside", lambda *_: None)
