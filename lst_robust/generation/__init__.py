"""Corrupted copies of whole image sets on disk, in the layouts of ImageNet-C and CIFAR-C, and as tar shards."""

from lst_robust.generation.engines import SetEngine, engine_for_sets
from lst_robust.generation.find_tars import find_tars, tars_of_suite
from lst_robust.generation.generator import Generated, generate
from lst_robust.generation.inputs import KEEP, open_images, open_suite_images, parse_size
from lst_robust.generation.manifest import format_of, verify
from lst_robust.generation.settings import Settings, settings_for
from lst_robust.generation.shard_naming import CleanShards, Cut, cut_of_size, cut_of_suite
from lst_robust.generation.shard_verify import VerifiedShards, verify_shards
from lst_robust.generation.shards import GeneratedShards, generate_shards

__all__ = [
    "KEEP", "CleanShards", "Cut", "Generated", "GeneratedShards", "SetEngine", "Settings", "VerifiedShards",
    "cut_of_size", "cut_of_suite", "engine_for_sets", "find_tars", "format_of", "generate", "generate_shards",
    "open_images", "open_suite_images", "parse_size", "settings_for", "tars_of_suite", "verify", "verify_shards",
]  # fmt: skip
