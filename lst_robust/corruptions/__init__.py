"""The corruption engine: 19 functions, 5 severities, exact to the references, random per image."""

from lst_robust.corruptions.engine import ENGINE, ENGINE_VERSION, corrupt, corruption_names

__all__ = ["ENGINE", "ENGINE_VERSION", "corrupt", "corruption_names"]
