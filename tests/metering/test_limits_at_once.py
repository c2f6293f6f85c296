"""Twenty requests at once for what a plan allows a few of: exactly those succeed, on any database.

Each in a process of its own with a connection of its own, as web processes have them.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Sum

from accounts.models import AuditEntry
from accounts.roles import SYSTEM
from avatars import uploads
from avatars.builds import WAITING_MAX
from avatars.models import Avatar, AvatarBuild
from metering.models import Counter, Plan, StoredFile, UsageEntry
from metering.services import plans
from metering.services.storage import stored_bytes
from streams.models import Broadcast, Picture
from streams.models.picture import PICTURES_FOLDER
from streams.services import pictures
from streams.services.lifecycle import finish_broadcast
from tests.avatars.filmed import finish
from tests.factories import Cast, api_client, make_cast
from tests.forks import at_once, shared_database
from tests.streams.pictures import png_bytes
from tests.streams.plans import make_show

pytestmark = pytest.mark.database

REQUESTS = 20
API = "/api/v1/"
Ask = Callable[[Any, int], Any]
AskAtOnce = Callable[..., Tally[str]]
# A place that was given back is asked for by so many.
AGAIN = 6


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def set_limit(cast: Cast, **limits: int) -> None:
    plan = Plan.objects.create(name="Small")
    plans.set_plan_limits(plan=plan, limits=limits, actor=SYSTEM)
    plans.assign_plan(organization=cast.organization, plan=plan, actor=SYSTEM)


@pytest.fixture
def ask_at_once(cast: Cast, tmp_path: Path) -> Iterator[AskAtOnce]:
    """Send `ask(client, number)` from so many processes; how many got which answer."""
    stack: list[Any] = []

    def run(ask: Ask, requests: int = REQUESTS) -> Tally[str]:
        clients = [api_client(cast.alice) for _ in range(requests)]
        if not stack:
            stack.append(shared_database(tmp_path))
            stack[0].__enter__()
        answers = at_once(lambda number: _code(ask(clients[number], number)), requests)
        return Tally(OUTCOMES[answer] for answer in answers)

    yield run
    for context in stack:
        context.__exit__(None, None, None)


# What a fork can answer is a number.
OUTCOMES = ("made", "quota_exceeded", "build_not_possible")


def _code(answer: Any) -> int:
    if answer.status_code == 201:
        return 0
    assert answer.status_code == 409, (answer.status_code, answer.content)
    error = answer.json()["error"]
    assert error["message"]
    if error["code"] == "quota_exceeded":
        assert error["data"]["used"] <= error["data"]["limit"]
    return OUTCOMES.index(error["code"])


# --- broadcasts at once --------------------------------------------------------------------------


def test_starts_over_the_limit_are_refused_and_set_nothing_aside(
    cast: Cast, ask_at_once: AskAtOnce
) -> None:
    set_limit(cast, concurrent_broadcasts=2, broadcast_minutes=60)
    shows = [make_show(cast.organization, cast.alice) for _ in range(REQUESTS)]

    def start(client: Any, number: int) -> Any:
        return client.post(f"{API}shows/{shows[number].pk}/start/", {})

    assert ask_at_once(start) == {"made": 2, "quota_exceeded": REQUESTS - 2}
    assert (Broadcast.objects.count(), _minutes()) == (2, (0, 2 * 60))
    started = AuditEntry.objects.filter(action="streams.broadcast.started")
    assert started.count() == 2

    # One is over: one place is free, and no more than one.
    over = Broadcast.objects.all()[0]
    finish_broadcast(broadcast=over, state="ended")
    shows[:] = [show for show in shows if not show.broadcasts.exclude(pk=over.pk).exists()]
    assert ask_at_once(start, AGAIN) == {"made": 1, "quota_exceeded": AGAIN - 1}
    assert _minutes() == (0, 2 * 60)

    for broadcast in Broadcast.objects.exclude(state="ended"):
        finish_broadcast(broadcast=broadcast, state="ended")
    assert _minutes() == (0, 0)


def _minutes() -> tuple[int, int]:
    """Used and set aside, the counter's and the holders' alike."""
    rows = Counter.objects.filter(meter="broadcast_minutes")
    entries = UsageEntry.objects.filter(meter="broadcast_minutes")
    sums = [row.aggregate(used=Sum("used"), kept=Sum("reserved")) for row in (rows, entries)]
    assert sums[0] == sums[1]
    return sums[0]["used"], sums[0]["kept"]


# --- uploads -------------------------------------------------------------------------------------


def test_pictures_over_the_limit_of_storage_are_refused_and_leave_no_file(
    cast: Cast, ask_at_once: AskAtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Decoded by a child as always; here, by nobody: twenty children take a machine half a minute.
    content = png_bytes()
    rewritten = pictures.Rewritten(content, "png", 32, 32)
    monkeypatch.setattr(pictures, "rewrite_upload", lambda *_: rewritten)
    before, others = stored_bytes(cast.organization.pk), files_below(PICTURES_FOLDER)
    set_limit(cast, storage_bytes=before + 3 * len(content) + len(content) // 2)

    def upload(client: Any, number: int) -> Any:
        file = SimpleUploadedFile(f"{number}.png", content)
        return client.post(f"{API}pictures/", {"kind": "card", "file": file}, format="multipart")

    assert ask_at_once(upload) == {"made": 3, "quota_exceeded": REQUESTS - 3}
    assert len(files_below(PICTURES_FOLDER) - others) == Picture.objects.count() == 3
    assert stored_bytes(cast.organization.pk) == before + 3 * len(content)

    removed = api_client(cast.alice).delete(f"{API}pictures/{Picture.objects.all()[0].pk}/")
    assert removed.status_code == 204
    assert len(files_below(PICTURES_FOLDER) - others) == 2
    assert ask_at_once(upload, AGAIN) == {"made": 1, "quota_exceeded": AGAIN - 1}
    assert len(files_below(PICTURES_FOLDER) - others) == Picture.objects.count() == 3
    assert StoredFile.objects.filter(kind="picture").count() == 3


def files_below(folder: str) -> set[Path]:
    """Files of uploads; those of other tests may lie there, too."""
    below = Path(settings.MEDIA_ROOT) / folder
    return {path for path in below.rglob("*") if path.is_file()}


def test_presenters_over_the_limit_are_refused(cast: Cast, ask_at_once: AskAtOnce) -> None:
    have = Avatar.objects.filter(organization=cast.organization).count()
    set_limit(cast, avatars=have + 4)

    def make(client: Any, number: int) -> Any:
        body = {"name": f"New {number}", "engine": "puppet", "settings": {"character": "lin"}}
        return client.post(f"{API}avatars/", body)

    assert ask_at_once(make) == {"made": 4, "quota_exceeded": REQUESTS - 4}

    made = Avatar.objects.filter(name__startswith="New")
    assert api_client(cast.alice).delete(f"{API}avatars/{made[0].pk}/").status_code == 204
    kept = set(made.values_list("name", flat=True))
    again = ask_at_once(lambda client, number: make(client, number + 100), AGAIN)
    assert again == {"made": 1, "quota_exceeded": AGAIN - 1}
    assert len(kept) + 1 == made.count() == 4


def test_films_over_what_may_wait_are_refused_and_leave_no_file(
    cast: Cast, ask_at_once: AskAtOnce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "look_inside", lambda *_: None)
    others = files_below("avatar-uploads")
    have = Avatar.objects.filter(organization=cast.organization).count()

    answers = ask_at_once(lambda client, number: film(client, f"Filmed {number}"))

    assert answers == {"made": WAITING_MAX, "build_not_possible": REQUESTS - WAITING_MAX}
    assert AvatarBuild.objects.count() == WAITING_MAX
    assert Avatar.objects.filter(organization=cast.organization).count() == have + WAITING_MAX
    assert len(files_below("avatar-uploads") - others) == WAITING_MAX


def test_no_film_is_taken_while_the_storage_is_full(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "look_inside", lambda *_: None)
    others = files_below("avatar-uploads")
    first = film(api_client(cast.alice), "First")
    avatar = AvatarBuild.objects.get().avatar
    finish(AvatarBuild.objects.get())
    set_limit(cast, storage_bytes=stored_bytes(cast.organization.pk))

    another = film(api_client(cast.alice), "Another")
    again = api_client(cast.alice).post(
        f"{API}avatars/{avatar.pk}/builds/", {"file": photo()}, format="multipart"
    )

    assert first.status_code == 201
    for refused in (another, again):
        assert _code(refused) == OUTCOMES.index("quota_exceeded")
    assert AvatarBuild.objects.count() == 1
    assert not Avatar.objects.filter(name="Another").exists()
    assert len(files_below("avatar-uploads") - others) <= 1


def photo() -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", b"\xff\xd8" + bytes(1000))


def film(client: Any, name: str) -> Any:
    body = {"name": name, "engine": "portrait", "file": photo()}
    return client.post(f"{API}avatars/", body, format="multipart")
