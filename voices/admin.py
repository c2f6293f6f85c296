"""Voices and pronunciations in the admin."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.actor import signed_in
from accounts.models import Consent
from inference.catalog import ENGINES, get_engine
from livestudio.common.admin import (
    OneOrganizationForm,
    OrganizationScopedAdmin,
    OrganizationScopedInline,
    refusal_text,
)
from livestudio.common.errors import DomainError, ErrorDetail, InvalidInputError
from voices import pronunciations, services
from voices.access import get_voice_for
from voices.models import Language, Pronunciation, Voice, VoiceFallback
from voices.pronunciations import check_pronunciation
from voices.validators import (
    API_KEY_MAX_CHARACTERS,
    SERVER_ENGINES,
    check_api_key,
    check_voice,
)

BASIC_ENGINE: Final = "espeak"
# What the box of the audition holds at first.
SAMPLES: Final[dict[str, str]] = {
    Language.CHINESE: "大家好，欢迎来到我的直播间！今天全场九九折，共 3.5 万件。",
    Language.ENGLISH: "Hello and welcome to the show! Today everything is 20% off.",
}


@never_cache
@require_POST
def audition_button(request: HttpRequest, voice_id: UUID) -> HttpResponse:
    """A text in this voice as WAV, or why not as JSON."""
    user: Any = request.user
    try:
        voice = get_voice_for(user, voice_id, "voice.view")
        sound = services.preview_voice(voice=voice, text=request.POST.get("text", ""), actor=user)
    except DomainError as error:
        return JsonResponse({"message": refusal_text(error)}, status=error.status)
    return HttpResponse(sound, content_type="audio/wav")


def reading_text(detail: ErrorDetail) -> str:
    """A refusal of the list in the reader's language."""
    texts = {
        "word_unspeakable": _("Give a word with letters, digits or characters."),
        "pinyin_unknown": _("One of these pinyin syllables does not exist."),
        "pinyin_malformed": _("Write each syllable with its tone from 1 to 5, as in ni3 hao3."),
        "reading_malformed": _("Write plain letters or Chinese characters, without signs."),
        "other_language": _("This voice speaks another language."),
        "unique": _("The list has this word already."),
    }
    return str(texts.get(detail.code, detail.message))


class VoiceForm(OneOrganizationForm):
    engine = forms.ChoiceField(
        label=_("engine"),
        choices=[(e.name, f"{e.label_zh} · {e.label_en}") for e in ENGINES if e.kind == "speech"],
    )

    api_key = forms.CharField(
        label=_("API key"),
        required=False,
        max_length=API_KEY_MAX_CHARACTERS,
        strip=False,
        # render_value is off: the page never holds the key, not even after a mistake elsewhere.
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"}),
        help_text=_("Leave empty to keep the present one. It is sealed and never shown again."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        try:
            check_api_key(values.get("api_key") or "", engine=values.get("engine", ""))
            check_voice(
                engine=values.get("engine", ""),
                language=values.get("language", ""),
                settings=values.get("settings") or {},
            )
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field.partition(".")[0], detail.message)
        if self._needs_key_again(values):
            self.add_error("api_key", _("Give the API key again with a new address."))
        return values

    def _needs_key_again(self, values: dict[str, Any]) -> bool:
        """A key must not follow to a server it was not meant for."""
        if not self.initial.get("settings") or not self.instance.has_api_key:
            return False
        address = self.initial["settings"].get("base_url")
        is_moved = (values.get("settings") or {}).get("base_url") != address
        return is_moved and values.get("engine") in SERVER_ENGINES and not values.get("api_key")

    class Meta:
        widgets = {"settings": forms.Textarea(attrs={"rows": 5, "cols": 60})}
        help_texts = {
            "settings": _(
                'A JSON object, such as {"gender": "female", "rate": 1.1}. Built-in voice: gender,'
                " rate, pitch. edge: gender, voice, rate, pitch, volume. openai_speech: base_url,"
                " model, voice, speed, response_format, instructions."
            )
        }


class FallbackInline(OrganizationScopedInline):
    model = VoiceFallback
    fk_name = "voice"
    organization_field = "voice__organization"
    view_permission = "voice.view"
    edit_permission = "voice.edit"


@admin.register(Voice)
class VoiceAdmin(OrganizationScopedAdmin):
    form = VoiceForm
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    fields = (
        "organization", "name", "engine", "language", "settings", "api_key", "consent", "state",
    )  # fmt: skip
    readonly_fields = ("state",)
    list_display = ("name", "engine_label", "language", "state", "organization")
    list_filter = ("organization", "engine", "language", "state")
    search_fields = ("name",)
    inlines = (FallbackInline,)
    change_form_template = "voices/admin/voice_form.html"
    change_list_template = "voices/admin/voice_list.html"

    @admin.display(description=_("engine"), ordering="engine")
    def engine_label(self, voice: Voice) -> str:
        try:
            entry = get_engine("speech", voice.engine)
        except LookupError:
            return str(voice.engine)
        is_chinese = (get_language() or "").startswith("zh")
        return entry.label_zh if is_chinese else entry.label_en

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "consent":
            rows = Consent.objects.visible_to(signed_in(request))
            kwargs["queryset"] = rows.exclude(scope=Consent.Scope.FACE)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(audition_button)
        route = path("<uuid:voice_id>/audition/", view, name="voices_voice_audition")
        return [route, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        voice = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "sample": SAMPLES.get(getattr(voice, "language", ""), ""),
            "is_basic": getattr(voice, "engine", "") == BASIC_ENGINE,
            "preview_max": services.PREVIEW_MAX_CHARACTERS,
        }
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        extra = kwargs.get("extra_context") or {}
        voices = self.get_queryset(request)
        is_basic = voices.exists() and not voices.exclude(engine=BASIC_ENGINE).exists()
        kwargs["extra_context"] = {**extra, "only_basic_voices": is_basic}
        return super().changelist_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        names = ("name", "engine", "language", "settings", "consent")
        values = {name: getattr(obj, name) for name in names}
        if key := form.cleaned_data.get("api_key"):
            values["api_key"] = key
        if change:
            # As stored: the form has already put its values into `obj`.
            stored = Voice.objects.for_organization(obj.organization).get(pk=obj.pk)
            services.update_voice(voice=stored, values=values, actor=user)
        else:
            made = services.create_voice(organization=obj.organization, values=values, actor=user)
            obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        services.delete_voice(voice=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for voice in queryset:
            self.delete_model(request, voice)


class PronunciationForm(OneOrganizationForm):
    """A word of the list with the rules of its service, refused in the reader's language."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # a hook of Django without types
        if self.errors or self.instance.organization_id is None:
            return
        try:
            check_pronunciation(self.instance)
        except InvalidInputError as error:
            for detail in error.details:
                self.add_error(detail.field, reading_text(detail))


@admin.register(Pronunciation)
class PronunciationAdmin(OrganizationScopedAdmin):
    form = PronunciationForm
    view_permission = "voice.view"
    edit_permission = "voice.edit"
    fields = ("organization", "language", "text", "reading", "voice")
    list_display = ("text", "reading", "language", "voice", "organization")
    list_filter = ("organization", "language", "voice")
    list_select_related = ("voice", "organization")
    search_fields = ("text", "reading")
    change_list_template = "voices/admin/pronunciation_list.html"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        user: Any = request.user
        values = {name: getattr(obj, name) for name in ("language", "voice", "text", "reading")}
        if change:
            stored = Pronunciation.objects.for_organization(obj.organization).get(pk=obj.pk)
            pronunciations.update_pronunciation(row=stored, values=values, actor=user)
        else:
            made = pronunciations.create_pronunciation(
                organization=obj.organization, values=values, actor=user
            )
            obj.pk, obj._state.adding = made.pk, False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        user: Any = request.user
        pronunciations.delete_pronunciation(row=obj, actor=user)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self.delete_model(request, row)
