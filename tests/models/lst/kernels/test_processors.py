"""The block on processors that are not this machine's: compiled for them, and run by an emulator."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from lst_robust.models.lst.blocks import LSTII, LSTOptions
from lst_robust.models.lst.folded import InferenceLSTII
from lst_robust.models.lst.kernels.library import KERNEL_FLAGS, KERNELS, SOURCES

torch.set_num_threads(1)
# the compiler, and the program that runs what it makes
PROCESSORS = {"this machine's": ("c++", []), "64-bit ARM": ("aarch64-linux-gnu-g++", ["qemu-aarch64"])}
# inputs, planes, stride, groups, size, how many parts the rows are computed in
CASES = [
    (16, 4, 1, 4, (5, 6), 1),
    (32, 8, 1, 4, (9, 7), 3),
    (64, 16, 1, 4, (11, 13), 2),
    (64, 16, 1, 4, (1, 1), 1),
    (16, 16, 1, 1, (6, 6), 1),
    (96, 24, 1, 4, (3, 101), 1),
    (64, 32, 2, 4, (9, 7), 2),
    (20, 20, 2, 1, (8, 7), 1),
    (288, 72, 1, 4, (4, 3), 1),  # more inputs than at once
]


@pytest.fixture(params=PROCESSORS)
def processor(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    compiler, emulator = PROCESSORS[request.param]
    for program in (compiler, *emulator):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: tools/install-test-programs installs it")
    return compiler, emulator


def compiled_for(compiler: str, folder: Path, *, emulated: bool) -> Path:
    program = folder / "run_blocks"
    sources = [Path(__file__).with_name("run_blocks.cpp"), SOURCES / "block.cpp"]
    flags = [*KERNEL_FLAGS, "-DLST_WIDTH=4", f"-I{SOURCES}", *(["-static"] if emulated else [])]
    subprocess.run([compiler, *flags, *map(str, sources), "-o", str(program)], check=True, timeout=300)
    return program


def arrays(block: InferenceLSTII, x: torch.Tensor, parts: int) -> list[np.ndarray]:
    """What the program reads of one case."""
    inputs, height, width = x.shape[1:]
    t_s, same = block.t_s, block.shortcut is None
    sizes = [height, width, inputs, t_s.channels, t_s.stride, block.t_c.groups > 1, same, parts]
    assert block.compiled is not None
    tensors = [torch.tensor(block.compiled.tau), x.permute(0, 2, 3, 1), *block.compiled.weights]
    return [np.array(sizes, np.int32), *(tensor.contiguous().numpy() for tensor in tensors)]


def test_blocks(processor, compiled, trained, assert_same, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LST_ROBUST_LST_VECTORS", "4")
    torch.manual_seed(0)
    expected = []
    with (tmp_path / "cases").open("wb") as file, torch.no_grad():
        for inputs, planes, stride, groups, size, parts in CASES:
            for options in ({}, {"tau": 0.3, "channel_transform": "diagonal"}):
                block = trained(LSTII(inputs, planes, stride, LSTOptions(**options), groups))
                x = torch.randn(1, inputs, *size)
                expected.append(block(x).permute(0, 2, 3, 1))
                for array in arrays(InferenceLSTII(block), x, parts):
                    file.write(array.tobytes())
    compiler, emulator = processor
    program = compiled_for(compiler, tmp_path, emulated=bool(emulator))
    results = tmp_path / "results"
    subprocess.run([*emulator, str(program), str(tmp_path / "cases"), str(results)], check=True, timeout=300)
    found = torch.from_numpy(np.fromfile(results, np.float32))
    for values, plain in zip(found.split([plain.numel() for plain in expected]), expected, strict=True):
        assert_same(values.reshape(plain.shape), plain)


def test_every_kernel_compiles(processor, tmp_path) -> None:
    for source in KERNELS:
        flags = [*KERNEL_FLAGS, "-DLST_WIDTH=4", "-Wall", "-Werror", "-c", "-o", str(tmp_path / f"{source}.o")]
        subprocess.run([processor[0], *flags, str(SOURCES / source)], check=True, timeout=300)
