"""Suites of one's own: digits-c with some keys changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lst_robust.suites import suites_folder


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """written(key=value, ...) -> the file of digits-c with these keys; None removes one."""

    def write(**changes: object) -> Path:
        data = yaml.safe_load((suites_folder() / "digits-c.yaml").read_text()) | changes
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not None}))
        return path

    return write
