"""Results as tables: grouped by protocol, marked, rendered for terminals, papers and machines."""

from lst_robust.reporting.protocols import PROTOCOL
from lst_robust.reporting.render import Format, render
from lst_robust.reporting.seeds import over_seeds, seed_notes
from lst_robust.reporting.tables import TableGroup, groups, robustness_table

__all__ = [
    "PROTOCOL", "Format", "TableGroup", "groups", "over_seeds", "render", "robustness_table", "seed_notes",
]  # fmt: skip
