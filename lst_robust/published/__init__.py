"""Other people's results, as they published them: the errors of each cell. README.md beside this file says where each
comes from, under which licence, and how its file was made."""

from lst_robust.published.cells import (
    ALEXNET,
    CLEAN_ONLY,
    GROUPS,
    IN_MEMORY,
    OFFICIAL,
    PRINTED,
    ROBUSTBENCH_ALEXNET,
    TESTBED_IN_MEMORY,
    TESTBED_ON_DISK,
    PublishedGroup,
    PublishedModel,
    alexnet_errors,
    alexnet_of,
    complete_rows,
    pipeline_difference,
    published_models,
)
from lst_robust.published.sources import SOURCES, PublishedSource

__all__ = [
    "ALEXNET", "CLEAN_ONLY", "GROUPS", "IN_MEMORY", "OFFICIAL", "PRINTED", "ROBUSTBENCH_ALEXNET", "SOURCES",
    "TESTBED_IN_MEMORY", "TESTBED_ON_DISK", "PublishedGroup", "PublishedModel", "PublishedSource", "alexnet_errors",
    "alexnet_of", "complete_rows", "pipeline_difference", "published_models",
]  # fmt: skip
