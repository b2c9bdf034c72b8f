"""What a full disk leaves is whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lst_robust.errors import DataError
from tests.fixtures.files import contents


def test_a_full_disk_leaves_whole_files_only(make, tmp_path, monkeypatch):
    make(tmp_path / "whole")
    write, left = Path.write_bytes, [10]

    def fills_up(self, content):
        left[0] -= 1
        if left[0] < 0:
            write(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", fills_up)
        with pytest.raises(
            DataError, match=r"\.JPEG: cannot be written \(No space left on device\); what was finished"
        ):
            make(tmp_path / "out")
    whole = contents(tmp_path / "whole")
    written = {name: content for name, content in contents(tmp_path / "out").items() if name != "MANIFEST.json"}
    assert len(written) == 10 and written.items() <= whole.items()
    make(tmp_path / "out")
    assert contents(tmp_path / "out") == whole
