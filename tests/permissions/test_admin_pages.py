"""Every page, form and button of the admin, pressed by everybody who may and may not open it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import AuditEntry
from accounts.roles import PERMISSIONS, STAFF_ROLES
from streams.models import ControlCommand
from tests.permissions.admin_table import (
    ANYBODY,
    DOORS,
    MODELS,
    NOBODY,
    STAFF,
    SUPERUSERS,
    Door,
    Lists,
    door_names,
)
from tests.permissions.world import (
    ANONYMOUS,
    STRANGER,
    SUPERUSER,
    Asker,
    World,
    keep_cached,
    make_askers,
)

pytestmark = pytest.mark.django_db

TABLE: Final = "tests/permissions/admin_table.py"
PAGE, REFUSED, MISSING, SIGN_IN = "page", "refused", "missing", "sign in"


@dataclass(frozen=True, slots=True)
class Question:
    """One request about a model's rows. about_row: it names the first organization's row."""

    model: str
    what: str
    rule: str
    about_row: bool = False

    def __str__(self) -> str:
        return f"{self.model}-{self.what}"


def _questions() -> Iterator[Question]:
    for label, row in MODELS.items():
        yield Question(label, "changelist", row.view)
        yield Question(label, "add", row.add)
        yield Question(label, "change", row.view, about_row=True)
        yield Question(label, "save", row.change, about_row=True)
        yield Question(label, "history", row.view, about_row=True)
        yield Question(label, "delete", row.delete, about_row=True)
        yield Question(label, "delete for good", row.delete, about_row=True)
        for name, (rule, _) in row.actions.items():
            yield Question(label, f"action {name}", rule, about_row=True)
        yield Question(label, "action delete_selected", row.delete, about_row=True)


QUESTIONS: Final = tuple(_questions())


def test_every_list_of_the_admin_has_a_row() -> None:
    registered = {model._meta.label for model in admin.site._registry}

    missing, left_over = sorted(registered - set(MODELS)), sorted(set(MODELS) - registered)
    assert not missing, (
        f"Models in the admin without a row: {missing}. Add each to MODELS in {TABLE}: a function "
        "that gives one row of a world, and the permissions to view, add, change and delete."
    )
    assert not left_over, f"Rows of models that left the admin; delete them from {TABLE}."


def test_every_action_of_the_admin_has_a_row(rf: RequestFactory, worlds: Any) -> None:
    request = rf.get("/admin/")
    request.user = next(item for item in make_askers(worlds[0]) if item.role == SUPERUSER).user
    for model, model_admin in admin.site._registry.items():
        found = set(model_admin.get_actions(request)) - {"delete_selected"}
        written = set(MODELS[model._meta.label].actions)
        assert found == written, (
            f"Actions of {model._meta.label} with no row, or rows without one: {found ^ written}. "
            f"Write them under `actions` of its row in {TABLE}: (permission, what to prepare)."
        )


def test_every_other_address_of_the_admin_has_a_row() -> None:
    written = {name.partition(" ")[0] for name in DOORS}

    missing, left_over = sorted(door_names() - written), sorted(written - door_names())
    assert not missing, (
        f"Addresses of the admin without a row: {missing}. Add each to DOORS in {TABLE}."
    )
    assert not left_over, f"Rows of addresses that are gone; delete them from {TABLE}: {left_over}"


def test_pairs_of_pages_and_people(worlds: tuple[World, World]) -> None:
    """Each page with somebody else, so that everybody meets most models and every kind of page."""
    people = _people(worlds[0])
    wrong = []
    for number, question in enumerate(QUESTIONS):
        wrong += _wrong_page(question, worlds, *people[number % len(people)])

    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("label", MODELS)
def test_every_page_and_everybody(label: str, worlds: tuple[World, World]) -> None:
    people = _people(worlds[0])
    wrong = [
        text
        for question in QUESTIONS
        for person in people
        if question.model == label
        for text in _wrong_page(question, worlds, *person)
    ]

    assert not wrong, "\n".join(wrong)


def test_pairs_of_buttons_and_people(worlds: tuple[World, World]) -> None:
    people = _people(worlds[0])
    wrong = []
    for number, (name, door) in enumerate(DOORS.items()):
        for person in (2 * number, 2 * number + 1):
            wrong += _wrong_door(name, door, worlds, *people[person % len(people)])

    assert not wrong, "\n".join(wrong)


@pytest.mark.long
def test_every_button_and_everybody(worlds: tuple[World, World]) -> None:
    people = _people(worlds[0])
    wrong = [
        text
        for name, door in DOORS.items()
        for person in people
        for text in _wrong_door(name, door, worlds, *person)
    ]

    assert not wrong, "\n".join(wrong)


def test_address_of_a_button_leads_who_comes_by_a_link_to_its_page(
    worlds: tuple[World, World],
) -> None:
    world = worlds[0]
    before, wrong = _trace(), []
    for name, door in DOORS.items():
        if door.method != "post":
            continue
        client = Client()
        client.force_login(world.cast.alice)
        answer = client.get(reverse(f"admin:{name.partition(' ')[0]}", kwargs=door.kwargs(world)))
        page = client.get(answer["Location"], follow=True) if answer.status_code == 302 else answer
        wrong += [f"{name}: {answer.status_code}"] if page.status_code != 200 else []

    assert not wrong, "\n".join(wrong)
    assert _trace() == before


# --- what must come out ---------------------------------------------------------------------------


def _may_open(asker: Asker) -> bool:
    is_staff = asker.role in STAFF_ROLES or asker.away in STAFF_ROLES
    return asker.role == SUPERUSER or (asker.role != ANONYMOUS and is_staff)


def _holds(asker: Asker, rule: str) -> bool:
    """Whether somebody may do this at home."""
    if rule in (ANYBODY, STAFF):
        return True
    if rule == NOBODY:
        return False
    return asker.role == SUPERUSER or (rule != SUPERUSERS and asker.may(rule))


def _holds_anywhere(asker: Asker, rule: str) -> bool:
    return _holds(asker, rule) or rule in PERMISSIONS.get(asker.away, ())


def _expected(question: Question, asker: Asker) -> tuple[str, ...]:
    view = MODELS[question.model].view
    if not _may_open(asker):
        return (SIGN_IN,)
    if not question.about_row:
        return (PAGE,) if _holds_anywhere(asker, question.rule) else (REFUSED,)
    if _holds(asker, question.rule):
        return (PAGE,)
    if question.what == "history" and not _holds(asker, view):
        return (MISSING, REFUSED)
    # One who sees the row is told that it is refused; to another it does not exist, unless
    # they are refused whatever row it is.
    is_seen = _holds(asker, view) or not _holds_anywhere(asker, question.rule)
    return (REFUSED,) if is_seen else (MISSING,)


def _word(answer: Any) -> str:
    if answer.status_code == 302:
        where = answer["Location"]
        return (
            SIGN_IN
            if where.startswith("/admin/login/")
            else MISSING
            if where == "/admin/"
            else PAGE
        )
    return {200: PAGE, 403: REFUSED, 404: MISSING}.get(answer.status_code, str(answer.status_code))


# --- asking ---------------------------------------------------------------------------------------


Person = tuple[Asker, str]


def _people(world: World) -> list[Person]:
    """Everybody, with the cookie of their session."""
    people = []
    for asker in make_askers(world):
        client = Client()
        if asker.user is not None:
            client.force_login(asker.user)
        session = client.cookies.get(settings.SESSION_COOKIE_NAME)
        people.append((asker, session.value if session else ""))
    return people


def _browser(session: str) -> Client:
    """A new browser each time: no message of an earlier answer, no sign-out."""
    client = Client(raise_request_exception=False)
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    return client


def _wrong_page(
    question: Question, worlds: tuple[World, World], asker: Asker, session: str
) -> list[str]:
    world, line = worlds[0], f"{question} by {asker.name}"
    keep_cached(world)
    with transaction.atomic():
        row = MODELS[question.model].row(world)
        before = _state(row)
        answer = _request(question, row, world, _browser(session))
        has_changed = _state(row) != before
        transaction.set_rollback(True)
    if question.what.startswith("action ") or question.what == "delete for good":
        # Buttons answer with a page of messages; what they did is what counts.
        found = _wrong_change(question, asker, has_changed, line)
    else:
        word, wanted = _word(answer), _expected(question, asker)
        found = [] if word in wanted else [f"{line}: {word} ({answer.status_code}), not {wanted}"]
        if has_changed and not (question.what == "save" and wanted == (PAGE,)):
            found.append(f"{line}: changed something")
    return found + _leaks(answer, worlds, asker, line, said=str(row.pk))


def _wrong_change(question: Question, asker: Asker, has_changed: bool, line: str) -> list[str]:
    may = _may_open(asker) and _holds(asker, question.rule)
    if question.what in ("delete for good", "action delete_selected"):
        # Who may delete may still be refused, by what uses the row.
        return [f"{line}: deleted"] if has_changed and not may else []
    return [f"{line}: changed={has_changed}, allowed={may}"] if has_changed != may else []


def _request(question: Question, row: Model, world: World, client: Client) -> Any:
    label = f"{row._meta.app_label}_{row._meta.model_name}"
    what = question.what
    if what in ("changelist", "add"):
        return client.get(reverse(f"admin:{label}_{what}"))
    if what in ("change", "history", "delete"):
        return client.get(reverse(f"admin:{label}_{what}", args=[row.pk]))
    if what == "save":
        # Incomplete, so that those who may see their form again and nothing changes.
        return client.post(reverse(f"admin:{label}_change", args=[row.pk]), {"organization": "x"})
    if what == "delete for good":
        return client.post(reverse(f"admin:{label}_delete", args=[row.pk]), {"post": "yes"})
    name = what.removeprefix("action ")
    if name in MODELS[question.model].actions:
        MODELS[question.model].actions[name][1](world)
    body = {"action": name, ACTION_CHECKBOX_NAME: [str(row.pk)], "post": "yes"}
    return client.post(reverse(f"admin:{label}_changelist"), body)


def _state(row: Model) -> list[Any]:
    """What a button may change: the row itself, and the trace that every verb leaves."""
    rows = type(row)._base_manager.filter(pk=row.pk).values_list()
    return [*rows, *_trace()]


def _wrong_door(
    name: str, door: Door, worlds: tuple[World, World], asker: Asker, session: str
) -> list[str]:
    world, line = worlds[0], f"{name} by {asker.name}"
    keep_cached(world)
    with transaction.atomic():
        door.prepare(world)
        before = _trace()
        kwargs = door.kwargs(world)
        address = reverse(f"admin:{name.partition(' ')[0]}", kwargs=kwargs)
        answer = getattr(_browser(session), door.method)(address, door.body(world))
        has_changed = _trace() != before
        transaction.set_rollback(True)
    may = _holds(asker, door.rule) and (_may_open(asker) or door.rule == ANYBODY)
    found = []
    if has_changed and not (may and door.changes):
        found.append(f"{line}: changed something")
    if may and (answer.status_code not in door.answers or has_changed != door.changes):
        found.append(f"{line}: {answer.status_code}, changed={has_changed}, though allowed")
    if not may and not _is_refusal(door, asker, answer, is_named=bool(kwargs)):
        found.append(f"{line}: {answer.status_code} {answer.headers.get('Location')}")
    said = "".join(str(value) for value in kwargs.values())
    return found + _leaks(answer, worlds, asker, line, said=said)


def _is_refusal(door: Door, asker: Asker, answer: Any, *, is_named: bool) -> bool:
    if not _may_open(asker):
        return _word(answer) in (SIGN_IN, MISSING)
    if asker.role == STRANGER:
        return answer.status_code in (403, 404) or _holds_anywhere(asker, door.rule) or not is_named
    # A button says what it refuses on the page that it leads back to.
    return answer.status_code in (403, 302)


def _trace() -> tuple[int, int]:
    return AuditEntry.objects.count(), ControlCommand.objects.count()


def _leaks(
    answer: Any, worlds: tuple[World, World], asker: Asker, line: str, *, said: str
) -> list[str]:
    """Marks of an organization that somebody does not belong to, in a page they were shown."""
    home, away = worlds
    hidden: set[str] = set()
    if asker.role in (STRANGER, ANONYMOUS):
        hidden |= home.marks
    if not asker.away and asker.role != SUPERUSER:
        hidden |= away.marks
    text = bytes(answer.content).decode(errors="replace")
    told = sorted(mark for mark in hidden if mark not in said and mark in text)
    return [f"{line} tells {told}"] if told else []


def test_table_names_models_that_exist() -> None:
    """`Lists` rows are looked up by label: a typo must not hide a model."""
    for label, lists in MODELS.items():
        assert isinstance(lists, Lists)
        assert apps.get_model(label)
