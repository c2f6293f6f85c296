"""The voices every organization starts with: they need no key, no server and no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accounts.models import Organization
from voices.models import Language, Voice


@dataclass(frozen=True, slots=True)
class BuiltInVoice:
    name: str
    language: str
    gender: str


BUILT_IN_VOICES: Final = (
    BuiltInVoice("中文女声 · Chinese, female", Language.CHINESE, "female"),
    BuiltInVoice("中文男声 · Chinese, male", Language.CHINESE, "male"),
    BuiltInVoice("英文女声 · English, female", Language.ENGLISH, "female"),
    BuiltInVoice("英文男声 · English, male", Language.ENGLISH, "male"),
)


def give_built_in_voices(organization: Organization) -> None:
    """Copies of the built-in voices, which the organization may change or delete."""
    Voice.objects.bulk_create(
        Voice(
            organization=organization,
            name=item.name,
            engine="espeak",
            language=item.language,
            settings={"gender": item.gender},
        )
        for item in BUILT_IN_VOICES
    )
