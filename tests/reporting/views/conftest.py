"""What a terminal of some width shows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType


@pytest.fixture
def shown() -> Callable[..., str]:
    """shown(renderable, width=...) -> its text, without colours."""

    def call(renderable: RenderableType, width: int = 80) -> str:
        console = Console(width=width, emoji=False)  # as those of the command line
        with console.capture() as capture:
            console.print(renderable)
        return capture.get()

    return call
