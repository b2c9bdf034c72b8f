"""Figures of results, drawn by matplotlib from plain data: a module a figure.

Each module has its input as a NamedTuple, `draw_...` (which returns a `matplotlib.figure.Figure`) and `describe_...`
(which says in words what the picture shows, as its text alternative). `export` makes files of figures, `inline_svg`
makes parts of an HTML page. Nothing in here reads or writes a file, and pyplot's global state is not used.

matplotlib is not installed with the package itself, see `report` in pyproject.toml. Importing anything from here
without it raises UsageError.
"""

from importlib.util import find_spec

from lst_robust.errors import UsageError

if find_spec("matplotlib") is None:
    raise UsageError("drawing figures needs matplotlib: pip install 'lst-robust[report]'")
