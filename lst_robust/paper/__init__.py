"""The tables of the LST-Net paper as printed, misprints and all.

Lida Li, Kun Wang, Shuai Li, Xiangchu Feng and Lei Zhang, "LST-Net: Learning a Convolutional Neural Network with a
Learnable Sparse Transform", ECCV 2020.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

TABLES = {
    "table1": "table1_ablation_cifar100.csv",
    "table2": "table2_cifar.csv",
    "table3": "table3_imagenet.csv",
    "table4": "table4_imagenet_c.csv",
}


@cache
def printed_table(name: str) -> tuple[dict[str, str], ...]:
    """The rows of "table1" to "table4", each a dict of text by column."""
    text = files("lst_robust.paper").joinpath(TABLES[name]).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
