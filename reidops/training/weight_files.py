"""Read the tensors in a file of weights of any program, without running code in the file.

A pickle is read by torch's `weights_only` reader. Names of classes in it that are not on its list (a training's
arguments, a configuration) are replaced by empty placeholders: their code is neither imported nor called.
"""

import importlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from reidops.errors import ReidopsError

_BEGINNING = 4096  # bytes that show what a file is
_EXPORTERS = (b"pytorch", b"onnx", b"tf2onnx", b"paddle")  # in the first field of an ONNX file
_MOST_STAND_INS = 64
_DEPTH = 4  # of mappings in mappings that are searched
# usual keys of a checkpoint's tensors, the likeliest first; an average of the weights comes after the weights
_KEYS = ("state_dict", "model_state_dict", "net_dict", "model", "network", "net", "module", "backbone", "weights")
_AVERAGES = ("ema", "average", "teacher", "swa")
_NOT_WEIGHTS = ("optim", "sched", "loss", "criterion", "center", "callbacks", "scaler")
_UNKNOWN_GLOBAL = re.compile(r"GLOBAL (\S+) was not an allowed global")
_FILLED_STAND_IN = re.compile(r"Can only (SETITEMS?|append|extend)\b.*class '.*?\.?_?stand_in:([^']+)'", re.DOTALL)


@dataclass(frozen=True)
class TensorGroup:
    """Tensors by name, and the keys that lead to them in their file, "" where it holds nothing else."""

    where: str
    tensors: Mapping[str, Tensor]


def read_tensor_groups(path: Path) -> list[TensorGroup]:
    """Return every mapping of names to tensors in a file of weights, the likeliest first.

    Raises:
        ReidopsError: the file is missing, is no file of weights (what it is), or holds no tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        fault = "is a folder, name the file in it" if path.is_dir() else "no such file"
        raise ReidopsError(f"{path}: {fault}; train.weights names a safetensors file or a state dict of torch")
    content = load_file(path) if _is_safetensors(path) else _read_pickle(path)
    groups = sorted(_groups(content, ()), key=_likelihood)
    if not groups:
        raise ReidopsError(
            f"{path}: holds no tensors by name but {_describe(content)}, so that nothing can be read safely; save the "
            "network's own with torch.save(network.state_dict(), FILE) where its code is at hand"
        )
    return groups


def _is_safetensors(path: Path) -> bool:
    """Return whether a file is of safetensors, whatever its name.

    Raises:
        ReidopsError: it is known to be something else than weights, or is cut off.
    """
    with open(path, "rb") as stream:
        start = stream.read(_BEGINNING)
    num_bytes = path.stat().st_size
    fault = _foreign(start, path)
    if fault:
        raise ReidopsError(f"{path}: {fault}")
    header_bytes = int.from_bytes(start[:8], "little")
    is_safetensors = (
        (start[8:9] == b"{" and header_bytes > 0) or path.suffix == ".safetensors" and not _is_torchs(start)
    )
    try:
        if is_safetensors:
            with safe_open(path, framework="pt"):
                pass
    except SafetensorError as error:
        raise ReidopsError(
            f"{path}: is no whole safetensors file ({error}; {num_bytes:,} bytes); fetch or copy it again"
        ) from None
    return is_safetensors


def _is_torchs(start: bytes) -> bool:
    """Return whether a file begins as one of torch.save, a zip or a pickle of protocol 2 and above."""
    return start.startswith((b"PK\x03\x04", b"\x80"))


def _foreign(start: bytes, path: Path) -> str:
    """Return what a file is that holds no weights of torch, and the remedy, "" for nothing known."""
    text = start[:512].lstrip().lower()
    if not start:
        return "is empty (0 bytes); fetch or copy it again"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not weights; fetch the file in a browser, or by its direct address"
    if text.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the weights; fetch them with `git lfs pull`"
    if b"annex/objects/" in text:
        return "is a pointer of git-annex, not the weights; get them with `git annex get`"
    if text.startswith((b"{", b"[")):
        return "is JSON, not weights; name the file of tensors beside it"
    if start.startswith(b"\x89HDF"):
        return "is an HDF5 file (Keras), which holds no weights of torch; export a state dict of torch"
    if path.suffix.lower() == ".onnx" or start[:1] == b"\x08" and any(tool in start[:100] for tool in _EXPORTERS):
        return "is an ONNX graph; a training starts from tensors: name the checkpoint that it was exported from"
    if start.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ", b"BZh")):
        return "is a compressed archive; unpack it and name the checkpoint in it"
    return _foreign_zip(path) if start.startswith(b"PK\x03\x04") else ""


def _foreign_zip(path: Path) -> str:
    """Return what a zip is that torch.save did not write."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "is a zip that is cut off or damaged; fetch or copy it again"
    if any("/code/" in name or name.endswith("constants.pkl") for name in names):
        return (
            "is a TorchScript program; save its tensors with "
            "torch.save(torch.jit.load(FILE).state_dict(), OTHER), and name that file"
        )
    if names and all(name.endswith(".npy") for name in names):
        return (
            "is an archive of NumPy arrays; save them as safetensors with "
            "safetensors.numpy.save_file(dict(numpy.load(FILE)), OTHER), and name that file"
        )
    if not any(name.endswith("data.pkl") for name in names):
        return f"is a zip of {', '.join(names[:3])}, not written by torch.save; unpack it and name the checkpoint in it"
    return ""


def _read_pickle(path: Path) -> Any:
    """Return the content of a file of torch.save, with placeholders for classes of other packages.

    Python 2 wrote strings as bytes; latin1 reads them, and changes no string of Python 3.
    """
    stand_ins: dict[str, type] = {}
    for _ in range(_MOST_STAND_INS):
        allowed = [*_numpy_globals(), *((stand_in, name) for name, stand_in in stand_ins.items())]
        try:
            with open(path, "rb") as stream, warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
                warnings.simplefilter("ignore")  # of an encoding for weights_only, which the reader does use
                return torch.load(stream, map_location="cpu", weights_only=True, encoding="latin1")
        except pickle.UnpicklingError as error:
            if not _add_stand_in(str(error), stand_ins):
                raise _unreadable(path, error) from None
        except (RuntimeError, EOFError, AttributeError, TypeError, ValueError, LookupError, OSError) as error:
            raise _unreadable(path, error) from None
    raise _unreadable(path, f"it names more than {_MOST_STAND_INS} classes")


def _unreadable(path: Path, error: object) -> ReidopsError:
    reason = _reason(error)
    return ReidopsError(
        f"{path}: holds no plain tensors that can be read safely ({reason}); fetch it again if it is cut off, else "
        "save the network's own with torch.save(network.state_dict(), FILE) where its code is at hand"
    )


def _reason(error: object) -> str:
    """Return the beginning of a reader's message, without torch's advice to allow code in the file."""
    words = str(error)
    cause = words.partition("WeightsUnpickler error:")[2] or words
    reason = " ".join(cause.partition("Check the documentation")[0].split())[:200] or "it is cut off"
    return "torch.save did not write it" if reason.startswith("Unsupported operand") else reason


def _add_stand_in(error: str, stand_ins: dict[str, type]) -> bool:
    """Add a placeholder for the class at which a reader failed; return whether it is new."""
    filled = _FILLED_STAND_IN.search(error)
    if filled:
        name = filled[2]
        is_list = filled[1] in ("append", "extend")
        stand_ins[name] = type(name, (_EmptyList if is_list else _EmptyMapping,), {})
        return True
    unknown = _UNKNOWN_GLOBAL.search(error)
    if unknown is None:
        return False
    name = unknown[1] if "." in unknown[1] else f"builtins.{unknown[1]}"
    if name in stand_ins:
        return False
    stand_ins[name] = type(f"stand_in:{name}", (StandIn,), {})
    return True


class StandIn:
    """Takes the place of an object of a class that is not imported; takes any arguments and any state."""

    def __new__(cls, *_: object, **__: object) -> "StandIn":
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        """Keep nothing."""

    def __setstate__(self, state: object) -> None:
        """Keep nothing."""


class _EmptyMapping:
    """Gives a plain mapping in place of an object that is filled as one."""

    def __new__(cls, *_: object, **__: object) -> dict:  # type: ignore[misc]
        return {}


class _EmptyList:
    """Gives a plain list in place of an object that is filled as one."""

    def __new__(cls, *_: object, **__: object) -> list:  # type: ignore[misc]
        return []


def _numpy_globals() -> list[Any]:
    """Return what reads numpy's scalars and arrays, under its names of version 1 and 2."""
    core = importlib.import_module("numpy._core.multiarray")
    named = [
        (function, f"{module}.{function.__name__}")
        for function in (core.scalar, core._reconstruct)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    ]
    kinds = {type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")}
    return [*named, np.ndarray, np.dtype, *kinds]


def _groups(content: Any, keys: tuple[str, ...]) -> Iterator[TensorGroup]:
    """Yield the mappings that hold tensors by name, in the order of the file, `content` itself first."""
    if not isinstance(content, Mapping) or len(keys) > _DEPTH:
        return
    named = {name: value for name, value in content.items() if isinstance(name, str)}
    tensors = {name: tensor for name, value in named.items() if (tensor := _tensor(value)) is not None}
    if tensors:
        yield TensorGroup(".".join(keys), tensors)
    for name, value in named.items():
        if not any(word in name.lower() for word in _NOT_WEIGHTS):
            yield from _groups(value, (*keys, name))


def _tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    is_numeric = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    return torch.from_numpy(value.copy()) if is_numeric else None


def _likelihood(group: TensorGroup) -> tuple[bool, int, int]:
    """Return a key that sorts weights before averages of weights, usual keys first, larger groups first."""
    last = group.where.rpartition(".")[2].lower()
    rank = _KEYS.index(last) if last in _KEYS else len(_KEYS)
    return any(word in group.where.lower() for word in _AVERAGES), rank if group.where else -1, -len(group.tensors)


def _describe(content: Any) -> str:
    """Return what was found in place of tensors."""
    if not isinstance(content, Mapping):
        return f"an object of {type(content).__name__.removeprefix('stand_in:')}"
    kinds = [f"{key}: {type(value).__name__.removeprefix('stand_in:')}" for key, value in list(content.items())[:5]]
    return f"a mapping of {', '.join(kinds) or 'nothing'}"
