"""The frost textures of the package imagecorruptions."""

from __future__ import annotations

from importlib import metadata

import pytest

from lst_robust.corruptions import textures
from lst_robust.errors import DataError


def test_textures_are_shared_and_cannot_be_written():
    first, again = textures.frost_textures(), textures.frost_textures()
    assert first is again
    assert [t.shape for t in first] == [(600, 900, 3), (315, 560, 3), (315, 560, 3), (350, 527, 3), (495, 660, 3)]
    with pytest.raises(ValueError, match="read-only"):
        first[0][0, 0, 0] = 1


def test_missing_textures_are_one_clear_line(monkeypatch, tmp_path):
    textures.frost_textures.cache_clear()
    try:

        def absent(name):
            raise metadata.PackageNotFoundError(name)

        monkeypatch.setattr(metadata, "distribution", absent)
        with pytest.raises(DataError, match="install imagecorruptions"):
            textures.frost_textures()
        empty = type("Empty", (), {"locate_file": lambda self, path: tmp_path / path})()
        monkeypatch.setattr(metadata, "distribution", lambda name: empty)
        with pytest.raises(DataError, match=r"frost1\.png is missing"):
            textures.frost_textures()
    finally:
        textures.frost_textures.cache_clear()
