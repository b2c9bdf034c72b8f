"""Corrupted copies of whole image sets on disk, in the layouts of ImageNet-C and CIFAR-C."""

from lst_robust.generation.engines import SetEngine, engine_for_sets
from lst_robust.generation.generator import Generated, generate
from lst_robust.generation.inputs import KEEP, open_images, open_suite_images, parse_size
from lst_robust.generation.manifest import Settings, settings_for, verify

__all__ = [
    "KEEP", "Generated", "SetEngine", "Settings", "engine_for_sets", "generate", "open_images", "open_suite_images",
    "parse_size", "settings_for", "verify",
]  # fmt: skip
