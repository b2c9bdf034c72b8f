"""Which network it is: its structure, its code, and its answers to images that are always the same."""
