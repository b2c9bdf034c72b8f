"""The block on processors that are not this machine's: compiled for them, and run by an emulator."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
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


@pytest.fixture(params=list(PROCESSORS))
def processor(request: pytest.FixtureRequest) -> tuple[str, list[str]]:
    compiler, emulator = PROCESSORS[request.param]
    for program in (compiler, *emulator):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: tools/install-test-programs installs it")
    return compiler, emulator


def compiled_for(compiler: str, name: str, kernels: Sequence[str], folder: Path, *, emulated: bool) -> Path:
    """The program of tests/ of this name, with kernels."""
    program = folder / f"{name}-{compiler}"
    sources = [Path(__file__).with_name(f"{name}.cpp"), *(SOURCES / kernel for kernel in kernels)]
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
    program = compiled_for(compiler, "run_blocks", ["block.cpp"], tmp_path, emulated=bool(emulator))
    results = tmp_path / "results"
    subprocess.run([*emulator, str(program), str(tmp_path / "cases"), str(results)], check=True, timeout=300)
    found = torch.from_numpy(np.fromfile(results, np.float32))
    for values, plain in zip(found.split([plain.numel() for plain in expected]), expected, strict=True):
        assert_same(values.reshape(plain.shape), plain)


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["64-bit ARM"], indirect=True)
def test_training(processor, tmp_path) -> None:
    """Each pass, beside the same on this machine with vectors of the same width, which test_chain.py compares with the
    plain definition."""
    found = []
    for compiler, emulator in (processor, PROCESSORS["this machine's"]):
        program = compiled_for(compiler, "run_training", [*KERNELS, "shortcut.cpp"], tmp_path, emulated=bool(emulator))
        subprocess.run([*emulator, str(program), str(tmp_path / "results")], check=True, timeout=300)
        found.append(written(tmp_path / "results"))
    assert len(found[0]) == 18 * 22
    for other, own in zip(*found, strict=True):
        assert np.abs(other - own).max() <= 1e-5 * np.abs(own).max() and np.isfinite(own).all()


def written(path: Path) -> list[np.ndarray]:
    """The arrays of a file: how many values, and these."""
    content, place, arrays = path.read_bytes(), 0, []
    while place < len(content):
        count = int(np.frombuffer(content, np.int32, 1, place)[0])
        arrays.append(np.frombuffer(content, np.float32, count, place + 4))
        place += 4 + 4 * count
    return arrays


@pytest.mark.slow  # with warnings as errors; test_chain.py and others run what is compiled without
def test_every_kernel_compiles(processor, tmp_path) -> None:
    for source in KERNELS:
        flags = [*KERNEL_FLAGS, "-DLST_WIDTH=4", "-Wall", "-Werror", "-c", "-o", str(tmp_path / f"{source}.o")]
        subprocess.run([processor[0], *flags, str(SOURCES / source)], check=True, timeout=300)
