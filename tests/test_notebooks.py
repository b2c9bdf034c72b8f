"""The notebooks in docs/notebooks/ run from top to bottom, and are committed without outputs."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
PNG = b"\x89PNG\r\n\x1a\n"


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def executed(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """The notebook after a run in a folder. Raises the error of a cell that fails."""
    notebook = read(path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    with tempfile.TemporaryDirectory() as sockets:  # whose paths must be short
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/kernel")
        client = NotebookClient(notebook, timeout=300, km=kernel, resources={"metadata": {"path": str(folder)}})
        try:
            return client.execute()
        finally:
            asyncio.run(kernel.shutdown_kernel(now=True))  # the client ends only kernels that it has made


def test_there_is_one_of_a_network_of_ones_own():
    assert [path.name for path in NOTEBOOKS] == ["own_network.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_committed_without_outputs(path):
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert cells and all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.slow
def test_a_network_of_ones_own_is_measured_and_drawn(tmp_path, monkeypatch):
    notebook = executed(ROOT / "docs" / "notebooks" / "own_network.ipynb", tmp_path, monkeypatch)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"execute_result", "stream"}
    (table,) = [output.data["text/markdown"] for output in outputs if "text/markdown" in output.get("data", {})]
    rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert rows[2:] == ["plain", "with-noise"]
    (differences,) = [output.text for output in outputs if output.output_type == "stream"]
    assert [line.split()[0] for line in differences.splitlines()] == [
        *("gaussian_noise", "impulse_noise", "brightness", "contrast")
    ]
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 4 and all(base64.b64decode(picture).startswith(PNG) for picture in pictures)
