"""Writing files so that they are whole or not there."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from lst_robust.errors import DataError


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a file so that it is whole or not there: temporary name, flush to disk, rename."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); what was finished before is kept") from error


def file_safe(name: str) -> str:
    """A model name as a folder name: anything but letters, digits, dot, dash and underscore becomes a dash."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"
