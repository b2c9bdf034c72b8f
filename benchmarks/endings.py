"""How a benchmark ends that cannot go on: with one line and the tool's exit codes, as the commands do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lst_robust.errors import LstRobustError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Ends the program with 130 after Ctrl-C, and with 2 or 3 and a line for what a person can mend."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except LstRobustError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(3)
