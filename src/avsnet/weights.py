"""Weight files of any source: read without running their code, checked name by name, loaded strictly or not at all.

A published file is a state dict, bare or wrapped (`model`, `state_dict`), its keys perhaps behind the prefix that
parallel training, a compiled model or Lightning put there. Whatever else a model's files hold is declared by that
model; the rest must fit exactly.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avsnet.errors import InputWarning, ModelError
from avsnet.io.texts import read_json

PACKAGED = Path(__file__).parent / "packaged"
"""Folder of the weights that come with the package, one sub-folder a model."""

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Of weight files in the cache, the preferred ones first."""

_WRAPPERS = ("model", "state_dict", "model_state_dict", "network", "net", "weights")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.")  # of parallel training, torch.compile, Lightning modules
_DEEPEST = 8  # wrappers round the weights
_NAMED = 3  # keys named in a message


class _Skipped:
    """What stands for an array or number of NumPy, of which some files hold counters: it takes all and does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


_NUMPY: list[Any] = [
    type(name, (_Skipped,), {"__module__": module})
    for module, name in (
        *((f"numpy.{part}.multiarray", name) for part in ("core", "_core") for name in ("_reconstruct", "scalar")),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    )
]


def cache_folder() -> Path:
    """Where weights that were fetched lie: `AVSNET_CACHE`, or the user's cache folder."""
    import pooch

    return Path(os.environ.get("AVSNET_CACHE") or pooch.os_cache("avsnet"))


def default_weights(name: str, published: str) -> Path:
    """The file or folder of a model's default weights on this machine.

    Args:
        name: of the model, which is also the name of the file or folder: packaged, or put into `cache_folder()`.
        published: where the weights can be had, for the message.

    Raises:
        ModelError: they are not on this machine; says where they are published and where to put them.
    """
    found = find_weights(name)
    if found is None:
        raise ModelError(
            f"{name}: its weights are not on this machine; they are published at {published}; give {name}=PATH "
            f"(in Python weights=PATH), or put the file or folder at {cache_folder() / name}"
        )
    return found


def find_weights(name: str) -> Path | None:
    """The packaged or cached weights of a model: `<name>` (a folder) or `<name>.<suffix>` (a file), or None."""
    for folder in (PACKAGED, cache_folder()):
        for path in (folder / name, *(folder / f"{name}{suffix}" for suffix in SUFFIXES)):
            if path.exists():
                return path
    return None


def packaged_training(name: str) -> str | None:
    """What the packaged weights of a network were trained on, in words; None where it has none."""
    folder = find_weights(name)
    if folder is None or folder.parent != PACKAGED:
        return None
    return str(read_config(folder).get("trained_on", "what its card names"))


def read_entries(path: str | Path) -> dict[str, Any]:
    """Read a weight file without running any code in it.

    Args:
        path: safetensors, or what `torch.save` wrote; what it is stands in its first bytes, whatever its name.

    Returns:
        Its top-level dict, on the CPU, as stored; what NumPy wrote into it is there, but empty.

    Raises:
        ModelError: the file is missing, truncated, no weight file, or holds Python objects beside tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give the weight file")
    if other := what_else(path):
        raise ModelError(f"{path}: cannot be read as weights, is {other}")
    if told := named_checksum(path):
        warnings.warn(f"{path}: {told}; fetch the file again", InputWarning, stacklevel=2)
    if damage := archive_damage(path):
        raise ModelError(f"{path}: cannot be read as weights ({damage}); fetch the file again")
    try:
        if _is_safetensors(path):
            from safetensors.torch import load_file

            return dict(load_file(path))
        with warnings.catch_warnings(), torch.serialization.safe_globals(_NUMPY):
            warnings.simplefilter("ignore")
            stored = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path}: {_pickle_defect(error)}") from None
    except Exception as error:  # zip, safetensors and torch raise nearly anything on a damaged file
        raise ModelError(f"{path}: cannot be read as weights ({_one_line(error)}); fetch the file again") from None
    if not isinstance(stored, dict):
        raise ModelError(f"{path}: holds a {type(stored).__name__}, not a dict of weights")
    return stored


def read_state_dict(path: str | Path, stem: str = "") -> dict[str, Tensor]:
    """Read the tensors of a weight file, out of its wrapper and without the prefixes that wrappers of networks leave.

    Args:
        path: of the file.
        stem: what all keys of the network itself begin with, which is kept.

    Returns:
        key -> tensor on the CPU; entries that are no tensors are left out.

    Raises:
        ModelError: as `read_entries`, or there is no tensor in it.
    """
    entries = read_entries(path)
    state = _tensors(_unwrapped(entries))
    if not state:
        raise ModelError(f"{path}: holds no weights; its entries are {', '.join(map(str, list(entries)[:_NAMED]))}")
    return _without_prefixes(state, stem)


def what_else(path: Path) -> str:
    """What a file is that bears the name of weights and holds none, by its first bytes, and what to do about it.

    Args:
        path: of a file that is there.

    Returns:
        "a git-lfs pointer; ...", or of a web page, another text, an archive, a TorchScript program; "" for all else.
    """
    with path.open("rb") as file:
        head = file.read(1024)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer; run `git lfs pull`, or download the file that it stands for"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page; download the file that the page links to"
    if start and _is_text(head):
        return f"a text that begins with {head.split()[0][:40].decode(errors='replace')!r}; download the file again"
    if head.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")):
        return "a compressed archive; unpack it and give what is in it"
    return _odd_zip(path) if head.startswith(b"PK") else ""


def _odd_zip(path: Path) -> str:
    """The same of a zip archive, as which torch saves its files, too."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # on damaged bytes zipfile raises nearly anything, and `archive_damage` says so
        return ""
    if not any(name.endswith("data.pkl") for name in names):
        return f"a zip archive of {_some(names) or 'nothing'}; unpack it and give what is in it"
    if any("/code/" in name for name in names):
        return "a TorchScript program, which is code; give the state dict of its weights"
    return ""


def named_checksum(path: Path) -> str:
    """What is wrong with a file that carries its checksum in its name, as torch publishes them; "" for nothing.

    Args:
        path: such as `tf_efficientnet_lite3-b733e338.pth`: eight digits of the SHA-256. Eight decimal ones are a date.
    """
    named = re.search(r"-([0-9a-f]{8})$", path.stem)
    if named is None or named[1].isdecimal():
        return ""
    found = weights_hash(path)[:8]
    return "" if found == named[1] else f"its name gives the SHA-256 {named[1]}, but its bytes have {found}"


def archive_damage(path: Path) -> str:
    """What is wrong with a file that `torch.save` wrote, whose checksums torch itself does not look at; "" for nothing.

    Args:
        path: of a file that is there; what is no archive passes.
    """
    with path.open("rb") as file:
        if file.read(4) != b"PK\3\4":
            return ""
    try:
        with zipfile.ZipFile(path) as archive:
            # torch never packs: what is packed may unpack to anything.
            if packed := [one.filename for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED]:
                return f"{packed[0]} in it is packed, as torch.save does not"
            spoilt = archive.testzip()
    except Exception as error:  # on damaged bytes zipfile raises nearly anything
        return f"it is cut or damaged ({_one_line(error)})"
    return "" if spoilt is None else f"{spoilt} in it is damaged by its checksum"


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in head)


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a JSON header and that header."""
    with path.open("rb") as file:
        head = file.read(9)
    own = head[5:] == b"\0\0\0{"
    return own or (path.suffix == ".safetensors" and not head.startswith(b"PK"))


def _unwrapped(entries: dict[str, Any]) -> dict[str, Any]:
    """The state dict in what a training run saved: under a known name, or the one dict that holds tensors."""
    for _ in range(_DEEPEST):
        named = [entries[name] for name in _WRAPPERS if isinstance(entries.get(name), Mapping)]
        if _tensors(entries) and not named:
            break
        others = [value for value in entries.values() if isinstance(value, Mapping) and _tensors(value)]
        found = named or (others if len(others) == 1 else [])
        if not found:
            break
        entries = dict(found[0])
    return entries


def _tensors(entries: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors under names; a list or an optimiser's state has them under numbers."""
    return {key: value for key, value in entries.items() if isinstance(value, Tensor) and isinstance(key, str)}


def _without_prefixes(state: dict[str, Tensor], stem: str) -> dict[str, Tensor]:
    """The same under its own keys: a prefix that all share goes, but for what belongs to the stem."""
    for prefix in _PREFIXES:
        own = bool(stem) and all(key.startswith(stem) for key in state)
        if all(key.startswith(prefix + stem if own else prefix) for key in state):
            return _without_prefixes({key.removeprefix(prefix): value for key, value in state.items()}, stem)
    return state


def read_config(folder: str | Path) -> dict[str, Any]:
    """The options that a network was built with, from the `config.json` that `save_pretrained` wrote.

    Raises:
        ModelError: the file is missing or broken.
    """
    path = Path(folder) / "config.json"
    try:
        options = read_json(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({_one_line(error)}); give a folder of save_pretrained") from None
    if not isinstance(options, dict):
        raise ModelError(f"{path}: holds a {type(options).__name__}, not a dict of options")
    return options


def load_strictly(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, *, unused: Iterable[str] = ()
) -> None:
    """Load a state dict of which every entry must be there and fit.

    Args:
        module: gets the values.
        state: key -> tensor.
        source: the file, for messages.
        unused: regular expressions of whole keys that published files hold and the network has no place for.

    Raises:
        ModelError: entries are missing, unknown or misshapen; names the first of each. The module is as it was.
    """
    ignored = [re.compile(pattern) for pattern in unused]
    kept = {key: value for key, value in state.items() if not any(one.fullmatch(key) for one in ignored)}
    own = module.state_dict()
    # The counter of seen batches is nobody's weight, and old files lack it.
    missing = [key for key in own if key not in kept and not key.endswith("num_batches_tracked")]
    unknown = [key for key in kept if key not in own]
    misshapen = [key for key in kept if key in own and kept[key].shape != own[key].shape]
    if missing or unknown or misshapen:
        parts = [
            f"{len(keys)} {what} ({_some(keys)})" for keys, what in ((missing, "missing"), (unknown, "unknown")) if keys
        ]
        if misshapen:
            key = misshapen[0]
            shapes = f"{key} is {tuple(kept[key].shape)}, not {tuple(own[key].shape)}"
            parts.append(f"{len(misshapen)} misshapen ({shapes})")
        raise ModelError(
            f"{source}: not the weights of this network, entries {', '.join(parts)}; is it a file of another model or "
            "variant, or only a part of one?"
        )
    try:
        module.load_state_dict(kept, strict=False)
    except Exception as error:  # sparse, quantised or otherwise stored numbers, which torch cannot copy
        raise ModelError(f"{source}: weights that cannot be taken over ({_one_line(error)})") from None


def weights_hash(*paths: str | Path, options: Mapping[str, Any] | None = None) -> str:
    """What stands for a model in a provenance: its files, and the options given beside them.

    Args:
        paths: files, and folders, whose files count sorted by name.
        options: that change the result, of which JSON keeps lists and tuples alike; None or none: the files alone.

    Returns:
        The first 12 hexadecimal digits of the SHA-256 over the contents and, if there are any, the options.
    """
    digest = hashlib.sha256()
    for path in map(Path, paths):
        for part in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if part.is_file():
                with part.open("rb") as file:
                    while block := file.read(1 << 22):
                        digest.update(block)
    if options:
        digest.update(json.dumps(dict(options), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


def _pickle_defect(error: Exception) -> str:
    text = str(error)
    if "GLOBAL" in text or "Unsupported operand" in text:
        found = re.search(r"GLOBAL ([\w.]+\.[\w.]+)", text)
        return f"holds Python objects beside tensors{f' ({found[1]})' if found else ''}, which can run code: refused"
    return f"cannot be read as weights ({_one_line(error)}); fetch the file again"


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:_NAMED]) + (", ..." if len(keys) > _NAMED else "")


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]} ..."
