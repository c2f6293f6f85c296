"""Rules of tenancy that nobody can forget: models, queries of the doors, rows that load."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import RequestFactory

from accounts import scope
from accounts.models import Membership
from accounts.roles import SYSTEM, Role
from accounts.services import members
from accounts.tenancy import our_models, path_to_organization, tenant_models
from avatars.models import Avatar
from livestudio.common.errors import NotFoundError
from scripts.provision.paths import ROOT
from streams.models import Show
from tests.factories import AvatarFactory, UserFactory, api_client, make_cast
from tests.streams.plans import make_show
from tests.tenants import GLOBAL, is_owned

# Where requests of users come in: they may begin a query only with an organization in it.
DOORS = ("api", "admin", "consumers", "management")
SCOPED = frozenset({"for_organization", "visible_to"})


def doors() -> Iterator[Path]:
    for app in ("accounts", "metering", "avatars", "voices", "webhooks", "streams"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if set(path.relative_to(ROOT).with_suffix("").parts) & set(DOORS):
                yield path


def queries_of(path: Path) -> Iterator[tuple[int, str, str, set[str]]]:
    """(line, model, first method, its keywords) of each `Model.objects.method(…)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        manager = node.func.value
        if isinstance(manager, ast.Attribute) and manager.attr == "objects":
            model = manager.value.id if isinstance(manager.value, ast.Name) else ""
            yield node.lineno, model, node.func.attr, {item.arg or "" for item in node.keywords}


def test_every_model_belongs_to_an_organization_or_is_named_as_global() -> None:
    ours = {model._meta.label for model in our_models()}
    of_tenants = {model._meta.label for model in tenant_models()}

    assert ours - of_tenants == GLOBAL
    unchecked = {
        m._meta.label for m in tenant_models() if path_to_organization(m) == "organization"
    }
    unchecked -= {m._meta.label for m in tenant_models() if is_owned(m)}
    # Membership is what the check itself reads; audit entries may be of no organization.
    assert unchecked == {"accounts.Membership", "accounts.AuditEntry"}


def test_doors_begin_every_query_with_an_organization() -> None:
    paths = {model.__name__: path_to_organization(model) or "" for model in tenant_models()}
    found = []
    seen = 0
    for path in doors():
        for line, model, method, keywords in queries_of(path):
            if model not in paths:
                continue
            seen += 1
            # `organization=`, `organization__in=`, or the parent: `broadcast=`, `show__…`.
            first = paths[model].partition("__")[0]
            names_tenant = any(word.partition("__")[0] == first for word in keywords)
            if method not in SCOPED and not names_tenant:
                found.append(f"{path.relative_to(ROOT)}:{line} {model}.objects.{method}")

    assert seen > 10
    assert found == []


@pytest.mark.django_db
def test_row_of_another_organization_does_not_load_in_a_request() -> None:
    cast = make_cast()
    foreign = AvatarFactory(organization=cast.elsewhere)
    own = AvatarFactory(organization=cast.organization)

    with scope.scope_of(lambda: cast.alice):
        assert Avatar.objects.get(pk=own.pk) == own
        with pytest.raises(NotFoundError):
            Avatar.objects.get(pk=foreign.pk)
        with pytest.raises(NotFoundError):
            list(Avatar.objects.all())

    assert Avatar.objects.get(pk=foreign.pk) == foreign


@pytest.mark.django_db
def test_row_of_another_organization_does_not_load_beside_an_own_one() -> None:
    cast = make_cast()
    show = make_show(cast.organization, cast.alice)
    Show.objects.filter(pk=show.pk).update(avatar=AvatarFactory(organization=cast.elsewhere))

    with scope.scope_of(lambda: cast.alice), pytest.raises(NotFoundError):
        Show.objects.select_related("avatar").get(pk=show.pk)
    with scope.scope_of(lambda: cast.alice), pytest.raises(NotFoundError):
        _ = Show.objects.get(pk=show.pk).avatar


@pytest.mark.django_db
def test_scope_follows_membership_at_once() -> None:
    cast = make_cast()
    foreign = AvatarFactory(organization=cast.elsewhere)

    with scope.scope_of(lambda: cast.alice):
        list(Avatar.objects.for_organization(cast.organization))
        members.set_role(
            organization=cast.elsewhere, user=cast.alice, role=Role.VIEWER, actor=SYSTEM
        )
        assert Avatar.objects.get(pk=foreign.pk) == foreign
    Membership.objects.filter(organization=cast.elsewhere, user=cast.alice).delete()
    with scope.scope_of(lambda: cast.alice), pytest.raises(NotFoundError):
        Avatar.objects.get(pk=foreign.pk)


@pytest.mark.django_db
def test_superuser_reads_every_organization_and_anonymous_none() -> None:
    cast = make_cast()
    root = UserFactory(is_superuser=True)

    with scope.scope_of(lambda: root):
        assert Avatar.objects.for_organization(cast.elsewhere).first() is not None
    request = RequestFactory().get("/")
    request.user = UserFactory.build()  # of no organization
    with scope.scope_of(lambda: request.user), pytest.raises(NotFoundError):
        Avatar.objects.for_organization(cast.organization).first()


@pytest.mark.django_db
def test_view_that_forgets_the_organization_answers_404(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = make_cast()
    forgetful = Avatar.objects.all()
    monkeypatch.setattr(
        "avatars.selectors.Avatar.objects.for_organization", lambda organization: forgetful
    )

    answer = api_client(cast.alice).get("/api/v1/avatars/")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
