"""The images, built once for all tests of this folder."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from scripts.provision.paths import ROOT
from tests.deploy.container import Image
from tests.deploy.context import context_files
from tests.deploy.images import Builder
from tests.front import write_certificate
from tests.services import work_folder

# Lies in every file that must never be in an image.
MARK: Final = "planted-secret-3f9c1d77"
PLANTED: Final = (
    ".env",
    "deploy/tls/extra.key",
    "frontend/.env.local",
    "frontend/node_modules/stale.js",
    "inference/.pytest_cache/x",
    "livestudio/static_collected/x",
    "var/field_keys",
    "var/media/film.mp4",
)


@dataclass(frozen=True, slots=True)
class Built:
    """root: the working tree that they were built of; builder: how."""

    root: Path
    builder: Builder
    web: Image
    runner: Image


@pytest.fixture(scope="session")
def built() -> Iterator[Built]:
    """Both targets of the Dockerfile, built from a tree with secrets lying about."""
    assert os.geteuid() == 0 and sys.platform == "linux", (  # noqa: PT018 - one demand
        "Images are built with chroot and namespaces, as root: sudo make test-long"
    )
    with work_folder("images") as folder:
        root = folder / "tree"
        _copy_tree(root)
        builder = Builder(root, folder / "build")
        yield Built(root, builder, builder.build("web"), builder.build("runner"))


def _copy_tree(root: Path) -> None:
    more = [".dockerignore", "Dockerfile", "docker-compose.yml", "deploy/nginx"]
    for name in [*context_files(ROOT), *more]:
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    for name in PLANTED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(MARK)
    tls = write_certificate(root / "deploy" / "tls")
    shutil.copy(tls, tls.with_name("tls.key"))
