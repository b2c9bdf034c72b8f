"""The compiled twins of the corruptions: the same bytes as the plain definitions, faster."""
