from .figures import figure_bytes, write_figure
from .write import write_report

__all__ = ["figure_bytes", "write_figure", "write_report"]
