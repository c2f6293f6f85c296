"""Files of rows: written for the row that a block saves, and gone again when it does not.

    with ExitStack() as files, transaction.atomic():
        picture.file = files.enter_context(stored(picture.file, "x.png", content))
        picture.save()

No transaction takes a file back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.files.base import File
from django.db.models.fields.files import FieldFile


@contextmanager
def stored(field: FieldFile, name: str, content: File[Any]) -> Iterator[str]:
    """The name under which the content lies while the block runs, and after it unless it fails.

    The field gives random names, so that half a file of a full disk is found and deleted too.
    """
    wanted = field.field.generate_filename(field.instance, name)
    try:
        yield field.storage.save(wanted, content)
    except BaseException:
        field.storage.delete(wanted)
        raise
