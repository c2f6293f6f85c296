"""The settings of the voice engines in the words of the admin's forms."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from livestudio.common.settings_form import Words

_GENDERS: Final = {"female": _("female"), "male": _("male")}

WORDS: Final[dict[str, Words]] = {
    "gender": Words(_("speaker"), usual="female", choices=_GENDERS),
    "rate": Words(_("speed"), _("0.5 to 2: 1 is normal, 1.2 a fifth faster."), "1"),
    "pitch": Words(_("pitch"), _("-50 to 50: 0 is normal, higher is brighter."), "0"),
    "volume": Words(_("volume, in percent"), _("-50 to 50: 0 is normal."), "0"),
    "edge.voice": Words(
        _("name of the voice"),
        _(
            "As Microsoft Edge names it, such as zh-CN-XiaoxiaoNeural, zh-CN-YunxiNeural or "
            "en-US-AriaNeural. Empty: the usual voice of the language and speaker."
        ),
    ),
    "base_url": Words(
        _("address of the server"),
        _("Needed, up to and including /v1."),
        "https://example.com/v1",
    ),
    "model": Words(_("model"), _("As the server names it. Empty: the server's own choice.")),
    "openai_speech.voice": Words(_("name of the voice"), _("As the server names it."), "alloy"),
    "response_format": Words(
        _("sound format"),
        _("What the server is asked for. WAV tells its rate, PCM does not."),
        "wav",
        {"wav": "WAV", "pcm": "PCM", "mp3": "MP3"},
    ),
    "sample_rate_hz": Words(
        _("sample rate, in Hz"), _("8000 to 96000. Counts for PCM only."), "24000"
    ),
    "speed": Words(_("speed"), _("0.25 to 4: 1 is normal."), "1"),
    "instructions": Words(
        _("how to speak"), _("For models that take instructions, at most 1000 characters.")
    ),
    "stream_format": Words(
        _("transfer"),
        _("How the sound comes: as it is, or as events (SSE), which tell the tokens that it cost."),
        "audio",
        {"audio": _("sound as it is"), "sse": _("events (SSE)")},
    ),
    "seconds": Words(_("seconds a sentence"), _("0.1 to 600. Empty: by the length of the text.")),
    "mode": Words(_("sound"), usual="tag"),
}
