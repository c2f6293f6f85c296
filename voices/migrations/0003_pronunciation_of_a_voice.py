"""A reading may be of one voice; a key of its own keeps each word once."""

import hashlib

import django.db.models.deletion
from django.db import migrations, models


def fill_keys(apps, schema_editor):
    """As `pronunciation_key` makes them; words that differ only in case keep both readings."""
    seen = set()
    for row in apps.get_model("voices", "Pronunciation").objects.order_by("created_at"):
        name = f"|{row.language}|{row.text.casefold()}"
        mark = (row.organization_id, name)
        row.key = hashlib.sha256((name if mark not in seen else str(row.pk)).encode()).hexdigest()
        seen.add(mark)
        row.save(update_fields=["key"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("voices", "0002_api_key"),
    ]

    operations = [
        migrations.AddField(
            model_name="pronunciation",
            name="key",
            field=models.CharField(default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="pronunciation",
            name="voice",
            field=models.ForeignKey(
                blank=True,
                help_text="Leave empty for all voices of the language.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="pronunciations",
                to="voices.voice",
                verbose_name="only for the voice",
            ),
        ),
        migrations.AlterField(
            model_name="pronunciation",
            name="reading",
            field=models.CharField(
                help_text=(
                    "Chinese: pinyin with tones (chong2 qing4) or characters that sound so. "
                    "English: as one would misspell it (engine ex)."
                ),
                max_length=200,
                verbose_name="read as",
            ),
        ),
        migrations.AlterField(
            model_name="pronunciation",
            name="text",
            field=models.CharField(
                help_text="Written in small letters, it stands for capitals too.",
                max_length=100,
                verbose_name="written",
            ),
        ),
        migrations.RunPython(fill_keys, migrations.RunPython.noop),
        # Before the old one goes: MariaDB needs an index that begins with the organization.
        migrations.AddConstraint(
            model_name="pronunciation",
            constraint=models.UniqueConstraint(
                fields=("organization", "key"), name="one_reading_per_key"
            ),
        ),
        migrations.RemoveConstraint(model_name="pronunciation", name="one_reading_per_word"),
    ]
