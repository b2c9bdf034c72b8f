from .protocols import PROTOCOL
from .render import Format, render
from .seeds import over_seeds, seed_notes
from .tables import TableGroup, groups, robustness_table

__all__ = ["PROTOCOL", "Format", "TableGroup", "groups", "over_seeds", "render", "robustness_table", "seed_notes"]
