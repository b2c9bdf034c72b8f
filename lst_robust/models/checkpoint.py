"""Checkpoints are data: safetensors with a metadata header; pickles only when they hold nothing but tensors.

Every path that is read here may also be `published:NAME`, see `lst_robust.weights`.
"""

from __future__ import annotations

import json
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lst_robust.errors import CheckpointError, DataError, some_names
from lst_robust.models.formats import adapt_state_dict
from lst_robust.runtime.files import file_sha256, write_output
from lst_robust.weights import resolved

FORMAT = "lst-robust/1"
PICKLES = (".pth", ".pt", ".pth.tar", ".ckpt", ".bin")
SCRIPT = "looks like a TorchScript archive"  # of torch's warning
LISTED = 6  # how many keys an error names before it only counts


def save_checkpoint(model: nn.Module, path: str | Path, **metadata: Any) -> Path:
    """Write the weights of `model` and what is needed to build it again, atomically.

    Args:
        model: made by `create_model`; its `.config` gives model, options, num_classes and image_size.
        path: ends in .safetensors; its folder is made when it is not there.
        metadata: further JSON values for the header, such as classes, source, epoch.

    Raises:
        CheckpointError: the folder is not writable.
    """
    path = Path(path)
    config: Any = model.config
    header: dict[str, Any] = {
        "format": FORMAT,
        "model": config.name,
        "num_classes": config.num_classes,
        "image_size": config.input_size,
        "options": dict(config.options),
        **metadata,
    }
    content = save(_separate(model.state_dict()), {key: json.dumps(value) for key, value in header.items()})
    try:
        write_output(path, _with_sorted_header(content))
    except DataError as error:
        raise CheckpointError(f"checkpoint {error}") from error
    return path


def _separate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each with memory of its own: safetensors refuses those that share it, as tied weights."""
    seen: set[int] = set()
    separate = {}
    for key, value in state.items():
        tensor = value.detach().cpu().contiguous()
        separate[key] = tensor.clone() if tensor.untyped_storage().data_ptr() in seen else tensor
        seen.add(tensor.untyped_storage().data_ptr())
    return separate


def _with_sorted_header(content: bytes) -> bytes:
    """The same safetensors file with its header's keys in order: the library's order changes from call to call, and
    equal weights should be equal files. (Format: 8 bytes of length, JSON padded with spaces to 8 bytes, tensors.)"""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


class _Header(BaseModel):
    """What the header of a file of ours must hold for others to rely on; it may hold more."""

    model_config = ConfigDict(strict=True)

    model: str
    num_classes: int = Field(ge=1)
    image_size: int = Field(ge=1)
    options: dict[str, str | int | float | bool]
    classes: list[str] | None = None
    train_seed: int | None = None


def trained_here(metadata: Mapping[str, Any]) -> bool:
    """Whether `lst-robust train` made the weights of a file with this header; else somebody has converted them."""
    return "recipe" in metadata


def read_metadata(path: str | Path) -> dict[str, Any]:
    """The header of a safetensors file of ours with its JSON values decoded; {} for files of other software.

    CheckpointError when the file is missing or damaged, or of a format that this release does not know.
    """
    path = _existing(path)
    if path.name.endswith(PICKLES):
        return {}
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file ({error}): copy it again, or let a PyTorch file's name end in "
            f"{' or '.join(PICKLES[:2])}"
        ) from error
    try:
        written_by = json.loads(header.get("format", '""'))
        if not str(written_by).startswith("lst-robust/"):
            return {}
        if written_by != FORMAT:
            raise CheckpointError(f"{path} has format {written_by!r}, this release reads {FORMAT!r}: upgrade")
        metadata = {key: json.loads(value) for key, value in header.items()}
        _Header.model_validate(metadata)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise CheckpointError(f"{path}: its header is damaged ({key}): convert or train it again") from error
    except (ValueError, RecursionError) as error:
        if "format" in header and "lst-robust/" not in header["format"]:  # other software's plain text
            return {}
        raise CheckpointError(f"{path}: its header is damaged (not JSON): convert or train it again") from error
    return metadata


def read_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors of a file, on the CPU, and its metadata.

    A pickle (.pth, .pt, ...) is read with `weights_only=True`; of a training checkpoint the entry `state_dict` (or
    `model`) is taken, the plain values beside it are the metadata, and a `module.` in front of every key goes.

    Raises:
        CheckpointError: missing, damaged, holding code, or without a state dict.
    """
    path = _existing(path)
    if not path.name.endswith(PICKLES):
        metadata = read_metadata(path)
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118 (not a dict)
    content = _read_pickle(path)
    metadata = {}
    for entry in ("state_dict", "model"):
        if isinstance(content.get(entry), Mapping):
            metadata = {k: v for k, v in content.items() if isinstance(v, (str, int, float))}
            content = content[entry]
            break
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if not tensors or len(tensors) < len(content):
        raise CheckpointError(f"{path} holds no state dict (only tensors by name): save model.state_dict()")
    if all(key.startswith("module.") for key in tensors):  # written from nn.DataParallel
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors, metadata


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about formats that are refused or read all the same
            warnings.filterwarnings("error", message=f".*{SCRIPT}")
            _refuse_what_old_torch_reads(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, depending on how the file is broken
        if any(word in str(error) for word in ("weights_only", "Unsupported", SCRIPT)):
            raise CheckpointError(
                f"{path} holds more than tensors (code could run) and is refused: save its state_dict alone"
            ) from error
        reason = str(error).split(". ")[0].split("\n")[0] or "it is empty"
        raise CheckpointError(f"{path} is damaged or no PyTorch file ({reason}): copy or save it again") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, no state dict: save model.state_dict()")
    return dict(content)


def _refuse_what_old_torch_reads(path: Path) -> None:
    """Before release 2.6, torch.load read archives in which code could be, and compressed ones, whatever their size
    once unpacked. It warns of scripts before it loads them, and that is an error where this is called."""
    if tarfile.is_tarfile(path):
        raise ValueError("weights_only cannot be heeded in a tar file")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(entry.filename.endswith("/constants.pkl") for entry in entries):
            raise ValueError(f"it {SCRIPT}")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("it is compressed")


def load_checkpoint(model: nn.Module, path: str | Path) -> dict[str, Any]:
    """Load weights into `model`, strictly; returns the file's metadata.

    Weights stored in half precision are cast to the model's dtype.

    Raises:
        CheckpointError: another network's weights, another number of classes, missing or unexpected weights (listed).
    """
    metadata = read_metadata(path)
    config: Any = model.config
    if metadata and not same_network(metadata["model"], config.name):
        raise CheckpointError(f"{path} holds {metadata['model']}, not {config.name}: choose --model accordingly")
    state, _ = read_checkpoint(path)
    wanted = model.state_dict()
    if not metadata:
        try:
            state = adapt_state_dict(model, state)
        except (RuntimeError, IndexError, ValueError):
            raise CheckpointError(f"{path} does not fit {config.name}: its weights have other shapes") from None
    missing = [key for key in wanted if key not in state]
    unexpected = [key for key in state if key not in wanted]
    misshapen = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    classifier = _classifier_name(model)
    if misshapen and {key.rpartition(".")[0] for key in misshapen} == {classifier}:
        raise CheckpointError(
            f"{path}: the checkpoint has {state[misshapen[0]].shape[0]} classes, the suite has "
            f"{config.num_classes}: choose a checkpoint trained on these classes, or train one"
        )
    faults = [
        _listing(kind, keys)
        for kind, keys in (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
        if keys
    ]
    if faults:
        raise CheckpointError(f"{path} does not fit {config.name} {dict(config.options)}: {'; '.join(faults)}")
    unusable = [key for key, value in state.items() if not _can_be_cast(value, wanted[key])]
    if unusable:
        example = state[unusable[0]]
        raise CheckpointError(
            f"{path}: {_listing('weights', unusable)} cannot become {wanted[unusable[0]].dtype}, being {example.dtype} "
            f"({example.layout}, {example.device}): save plain floating-point weights"
        )
    model.load_state_dict({key: value.to(wanted[key].dtype) for key, value in state.items()})
    return metadata


def same_network(stored: str, name: str) -> bool:
    """Whether two names mean one network. That of a file.py:function is one wherever the file lies."""
    if stored == name:
        return True
    (file, _, function), (other, _, others) = stored.rpartition(":"), name.rpartition(":")
    return file.endswith(".py") and (Path(file).name, function) == (Path(other).name, others)


def _can_be_cast(value: Tensor, wanted: Tensor) -> bool:
    """Whether a stored tensor is a plain one of the same kind: floats of any precision, or integers."""
    plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
    return plain and value.is_floating_point() == wanted.is_floating_point() and not value.is_complex()


def _classifier_name(model: nn.Module) -> str:
    """The last linear layer's name: in every network here that is the classifier. "" when there is none."""
    return next((name for name, module in reversed([*model.named_modules()]) if isinstance(module, nn.Linear)), "")


def _listing(kind: str, keys: list[str]) -> str:
    return f"{len(keys)} {kind} ({some_names(keys, LISTED)})"


def _existing(path: str | Path) -> Path:
    """The file at a path, or of `published:NAME`."""
    path = resolved(Path(path))
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: check the path")
    return path


def checkpoint_sha256(path: str | Path) -> str:
    """SHA-256 of the file's bytes, hexadecimal.

    path: a file, or "published:NAME". Raises CheckpointError where there is none, UsageError for an unknown NAME.
    """
    return file_sha256(_existing(path))
