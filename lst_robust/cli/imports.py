"""What is said where a package cannot be imported. Only lst_robust.errors is imported here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lst_robust.errors import LstRobustError, message_of


@contextmanager
def installed_packages() -> Iterator[None]:
    """Imports within this. One that fails is one line and exit code 3: a traceback would end with 1, which means that
    a network got worse."""
    try:
        yield
    except LstRobustError:
        raise
    except Exception as error:
        if os.environ.get("LST_ROBUST_DEBUG"):
            raise
        print(
            f"error: a package cannot be imported ({type(error).__name__}: {message_of(error)}): install it again "
            "(set LST_ROBUST_DEBUG=1 to see where)",
            file=sys.stderr,
        )
        sys.exit(LstRobustError.exit_code)
