"""The admin as each organization sees it: its own rows to see, to choose from and to act on.

    class ShowAdmin(OrganizationScopedAdmin):
        organization_field = "organization"      # path from a row to its organization
        view_permission = "show.view"
        edit_permission = "show.edit"            # None = nobody edits here

Rights come from the role table, not from Django's permissions. A DomainError of a service becomes
a red message and nothing is saved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import NON_FIELD_ERRORS, FieldDoesNotExist, ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from livestudio.common.errors import DomainError, InvalidInputError
from livestudio.common.local_time import LocalTimeField
from livestudio.common.once import looking_once
from livestudio.common.reasons import translate_reason

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _Inline = admin.TabularInline[Any, Any]
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelAdmin, _Inline, _ModelForm = admin.ModelAdmin, admin.TabularInline, forms.ModelForm


class OneOrganizationForm(_ModelForm):
    """Refuses a row that points at rows of another organization than its own.

    refused: what a service said when this form was saved, told in the form with all that was typed.
    """

    refused: ClassVar[DomainError | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, LocalTimeField):
                field.kept = getattr(self.instance, name, None)

    def full_clean(self) -> None:
        super().full_clean()
        if self.refused is not None and self.is_bound:
            _tell_in(self, self.refused)

    def _update_errors(self, errors: Any) -> None:
        """A name that is taken is told beside the name, not as a rule about two columns."""
        told = getattr(errors, "error_dict", {})
        for error in list(told.get(NON_FIELD_ERRORS, ())):
            columns = set((error.params or {}).get("unique_check", ())) - {"organization"}
            if len(columns) == 1 and (column := columns.pop()) in self.fields:
                told[NON_FIELD_ERRORS].remove(error)
                self.add_error(column, _("Your organization has this one already: choose another."))
        super()._update_errors(errors)  # type: ignore[misc]  # a hook of Django without types

    def add_error(self, field: str | None, error: Any) -> None:
        """Sentences of services are English: they are told in the language of the page."""
        message = error if isinstance(error, str) else getattr(error, "message", None)
        if isinstance(message, str) and not getattr(error, "params", None):
            code = getattr(error, "code", None)
            error = ValidationError(translate_reason(message), code=code)
        super().add_error(field, error)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        chosen = getattr(values.get("organization"), "pk", None)
        own_id = chosen or _organization_id_of(self.instance)
        if own_id is None:
            return values
        # A copy: an error takes its value away.
        for name, value in list(values.items()):
            rows = value if isinstance(value, models.QuerySet) else [value]
            found = {_organization_id_of(row) for row in rows} if name != "organization" else set()
            if found - {own_id, None}:
                self.add_error(name, _("This belongs to another organization."))
        return values


class _Scoped:
    """What lists and inlines share."""

    model: type[models.Model]
    organization_field = "organization"
    view_permission = "organization.view"
    edit_permission: str | None = None

    def organization_of(self, row: models.Model) -> Any:
        """The organization that a row belongs to."""
        found: Any = row
        for part in self.organization_field.split("__"):
            found = getattr(found, part)
        return found

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.view_permission, None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.view_permission, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.edit_permission, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.edit_permission, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.edit_permission, obj)

    def _may(self, request: HttpRequest, permission: str | None, row: Any) -> bool:
        user: Any = request.user
        if permission is None or not (user.is_active and user.is_staff):
            return False
        # An inline asks about its parent's row, which another admin has judged.
        if row is None or not isinstance(row, self.model):
            return _may_anywhere(request, permission)
        organizations = user.organizations_where(permission)
        return bool(organizations.filter(pk=self.organization_of(row).pk).exists())

    def scoped(self, rows: models.QuerySet[Any], request: HttpRequest) -> models.QuerySet[Any]:
        """The rows of organizations in which the user may see them."""
        user: Any = request.user
        allowed = user.organizations_where(self.view_permission)
        return rows.filter(**{f"{self.organization_field}__in": allowed})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        self._narrow(db_field, request, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        self._narrow(db_field, request, kwargs)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def _narrow(self, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]) -> None:
        related = db_field.remote_field.model
        rows = kwargs.get("queryset")
        rows = related._default_manager.all() if rows is None else rows
        user: Any = request.user
        allowed = user.organizations_where(self.edit_permission or self.view_permission)
        path = _path_to_organization(related, self)
        if path is not None and not user.is_superuser:
            kwargs["queryset"] = rows.filter(**{f"{path}__in": allowed}).distinct()


class OrganizationScopedAdmin(_Scoped, _ModelAdmin):
    """Base of every admin list of rows that belong to an organization.

    looks_ahead: its forms ask name servers or look into files, which others must not wait for.
    """

    form = OneOrganizationForm
    looks_ahead = False
    formfield_overrides: ClassVar[Any] = {models.DateTimeField: {"form_class": LocalTimeField}}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return self.scoped(super().get_queryset(request), request)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """A filter by a foreign key offers only what the user's own rows point at."""
        return [self._scoped_filter(item) for item in super().get_list_filter(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A row stays with its organization: secrets and references are bound to it."""
        fields = tuple(super().get_readonly_fields(request, obj))
        is_owned = obj is not None and self.organization_field == "organization"
        return (*fields, "organization") if is_owned and "organization" not in fields else fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        user: Any = request.user
        own = list(user.organizations_where(self.edit_permission or self.view_permission)[:2])
        if len(own) == 1:
            initial.setdefault("organization", str(own[0].pk))
        return initial

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A refusal of a service stands in the form, with nothing saved and nothing lost."""
        with looking_once():
            if self.looks_ahead and request.method == "POST":
                self._look_ahead(request, *args, **kwargs)
            try:
                return super().changeform_view(request, *args, **kwargs)
            except DomainError as error:
                request.refused = error  # type: ignore[attr-defined]  # get_form reads it
            return super().changeform_view(request, *args, **kwargs)

    def _look_ahead(
        self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """Judge the form before its transaction is opened: on SQLite all others wait for that."""
        row = self.get_object(request, unquote(object_id)) if object_id else None
        may = self.has_add_permission if object_id is None else self.has_change_permission
        if (row is None) != (object_id is None) or not may(request, *([row] if row else [])):
            return
        form = self.get_form(request, row, change=row is not None)
        given = form(request.POST, request.FILES, instance=row)
        if given.is_valid():
            self.look_ahead(given)

    def look_ahead(self, form: Any) -> None:
        """Slow checks, by way of `once`, that services make of a right form. Raises nothing."""

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        refused = getattr(request, "refused", None)
        return type(form.__name__, (form,), {"refused": refused}) if refused else form

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        view = super().changelist_view
        title = capfirst(str(self.model._meta.verbose_name_plural))
        context = {"title": title, **(extra_context or {})}
        return self._telling(request, lambda: view(request, context))

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Beside a choice: change it, add one. Deleting and looking have pages of their own."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget: Any = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper):
            widget.can_delete_related = widget.can_view_related = False
        return field

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        view = super().delete_view
        return self._telling(request, lambda: view(request, *args, **kwargs))

    def _telling(self, request: HttpRequest, view: Callable[[], Any]) -> HttpResponseBase:
        """Run a view; a refusal of a service becomes a message, with nothing saved."""
        try:
            answer: HttpResponseBase = view()
        except DomainError as error:
            self.message_user(request, refusal_text(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def _scoped_filter(self, item: Any) -> Any:
        if isinstance(item, str) and "__" not in item:
            try:
                field = self.model._meta.get_field(item)
            except FieldDoesNotExist:
                return item
            if field.is_relation:
                return (item, admin.RelatedOnlyFieldListFilter)
        return item


class OrganizationScopedInline(_Scoped, _Inline):
    """Base of rows edited inside another; set `organization_field` to the path through it."""

    extra = 0
    form = OneOrganizationForm

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return self.scoped(super().get_queryset(request), request)


class ReadOnly:
    """Mix in before an admin or inline whose rows are written by the system alone."""

    edit_permission: str | None = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def refusal_text(error: DomainError) -> str:
    """What a service refused: its details in their own words, after what it says in general."""
    found = [item.message for item in error.details if item.message != error.message]
    details = [translate_reason(str(message)) for message in found]
    # What only repeats its details says nothing more than they do.
    is_repeated = all(str(message) in error.message for message in found)
    is_general = error.message == InvalidInputError.message or is_repeated
    general = [] if details and is_general else [translate_reason(str(error.message))]
    return " ".join([*general, *details])


def _tell_in(form: Any, error: DomainError) -> None:
    """Each detail beside its field; what names no field of the form stands above it."""
    if not error.details:
        form.add_error(None, refusal_text(error))
    for detail in error.details:
        known = detail.field if detail.field in form.fields else None
        form.add_error(known, str(detail.message))


def _may_anywhere(request: Any, permission: str) -> bool:
    """Whether the user may do this in some organization; of rows, it is asked each time.

    The menu of each page asks for every entry of it, some ninety times.
    """
    if not hasattr(request, "permissions_somewhere"):
        request.permissions_somewhere = request.user.permissions_somewhere()
    return permission in request.permissions_somewhere


def _organization_id_of(row: Any) -> Any:
    """The organization of a row, else of the row that it cannot be without; None = of nobody."""
    if not isinstance(row, models.Model) or hasattr(row, "organization_id"):
        return getattr(row, "organization_id", None)
    for field in row._meta.fields:
        if isinstance(field, models.ForeignKey) and not field.null:
            found = _organization_id_of(getattr(row, field.name, None))
            if found is not None:
                return found
    return None


def _path_to_organization(related: type[models.Model], scoped: _Scoped) -> str | None:
    """How rows of a related model are narrowed; None = they belong to nobody."""
    if related._meta.label == "accounts.Organization":
        return "pk"
    if related._meta.label == "accounts.User":
        return "memberships__organization"
    names = {field.name for field in related._meta.fields if field.is_relation}
    if "organization" in names:
        return "organization"
    site: Any = getattr(scoped, "admin_site", None)
    registered = site._registry.get(related) if site else None
    own = getattr(registered, "organization_field", None)
    return own or _path_through_owner(related)


def _path_through_owner(related: type[models.Model]) -> str | None:
    """The path of a part that has no list of its own, as a clip has by its avatar."""
    for field in related._meta.fields:
        owner = field.related_model if field.many_to_one or field.one_to_one else None
        if isinstance(owner, type) and issubclass(owner, models.Model) and not field.null:
            if any(item.name == "organization" for item in owner._meta.fields):
                return f"{field.name}__organization"
    return None
