# Answers that hold secrets get a field of their own, which `rotate_keys` knows.

from django.db import migrations

import livestudio.common.vault

SEALED = 'sealed answer'
ROWS_AT_ONCE = 500


def move_sealed_answers(apps, schema_editor):
    records = apps.get_model('accounts', 'IdempotencyRecord').objects.using(schema_editor.connection.alias)
    for record in records.exclude(body=None).iterator(ROWS_AT_ONCE):
        if isinstance(record.body, dict) and set(record.body) == {SEALED}:
            records.filter(pk=record.pk).update(sealed_body=record.body[SEALED], body=None)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0008_consents'),
    ]

    operations = [
        migrations.AddField(
            model_name='idempotencyrecord',
            name='sealed_body',
            field=livestudio.common.vault.SealedTextField(blank=True, default='', editable=False),
        ),
        migrations.RunPython(move_sealed_answers, migrations.RunPython.noop),
    ]
