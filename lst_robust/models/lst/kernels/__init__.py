"""Compiled passes of the LST blocks: the same numbers as the plain definitions to rounding, faster."""
