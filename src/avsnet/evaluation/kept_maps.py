"""Predicted maps, computed once and kept at the size at which the network gave them."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch

from avsnet.errors import OptionError, OutputError
from avsnet.evaluation.instances import Case, Cases
from avsnet.evaluation.trials import System
from avsnet.io.arrays import read_array
from avsnet.io.texts import read_json
from avsnet.io.whole_files import atomic_path
from avsnet.models.infer import at_picture_size, network_map
from avsnet.weights import weights_hash


class MapCache:
    """The maps of one system on one data set, in a folder; what is missing is predicted.

    Args:
        folder: of all predictions of an evaluation.
        system: whose maps.
        cases: on which data.

    Attributes:
        info: of the system's model.
        provenance: what stands in the folder's `system.json`: a folder of other weights or data is refused.
        forward_seconds: spent in the network so far, and
        forward_count: how often it ran.

    Raises:
        ModelError: the model cannot be built.
        OptionError: the folder holds maps of other weights or data.
    """

    def __init__(self, folder: Path, system: System, cases: Cases) -> None:
        self.system, self.cases = system, cases
        self.model = system.build()
        self.info = self.model.info
        self.folder = folder / _file_name(cases.name) / _file_name(system.label)
        self.provenance = {
            "system": system.label,
            "output": self.info.output,
            "weights_hash": getattr(self.model, "weights_hash", None) or _hash_of(system, self.model),
            "weights_licence": self.info.weights_licence,
            "data": cases.fingerprint(),
            "echo": system.echo,
            "upsample": self.info.upsample,
            "flip": self.info.flip,
            "pad": self.info.pad,
        }
        self.forward_seconds, self.forward_count = 0.0, 0
        self._claim()

    def at_picture_size(self, case: Case, index: int) -> np.ndarray:
        """(H, W) float32 the system's map of an instance, in the unit of `info.output`."""
        values = self._load(self.path(case))
        if values is None:
            values = self._predict(case, index)
        return at_picture_size(values, self.info, case.depth.shape)

    def path(self, case: Case) -> Path:
        """Where the map of an instance lies; of another picture, camera or recording by the same name elsewhere."""
        return self.folder / f"{_file_name(case.id)}.{_contents(case)}.npy"

    def _predict(self, case: Case, index: int) -> np.ndarray:
        heard = self.cases.heard(case, index, self.system.echo)
        start = time.perf_counter()
        values = network_map(self.model, case.picture, camera=case.intrinsics, **heard)
        self.forward_seconds += time.perf_counter() - start
        self.forward_count += 1
        with atomic_path(self.path(case)) as temporary, temporary.open("wb") as file:
            np.save(file, values)
        return values

    def _load(self, path: Path) -> np.ndarray | None:
        """A map kept before, or None; a broken file counts as none."""
        try:
            values = read_array(path)
        except (OSError, ValueError):
            return None
        return values if values.ndim == 2 and values.dtype == np.float32 else None

    def _claim(self) -> None:
        """Write down whose maps the folder holds, or check it."""
        path = self.folder / "system.json"
        if path.exists():
            try:
                known = read_json(path)
            except ValueError:
                known = None
            known = known if isinstance(known, dict) else None
            if known != self.provenance:
                differs = [key for key in self.provenance if not known or known.get(key) != self.provenance[key]]
                raise OptionError(f"{path}: its maps differ in {', '.join(differs)}; give another --out, or delete it")
            return
        try:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(self.provenance, indent=1), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from None


def _contents(case: Case) -> str:
    """What a network makes its map of, as a short text; another instance's echo is told from others by the own one."""
    digest = hashlib.sha256()
    parts = [case.picture, case.intrinsics, None if case.waveform is None else case.waveform.numpy()]
    for part in parts:
        digest.update(b"none" if part is None else f"{part.shape} {part.dtype} ".encode() + part.tobytes())
    return digest.hexdigest()[:12]


def _hash_of(system: System, model: torch.nn.Module) -> str:
    """Of the weights' file or folder, or of the parameters themselves."""
    if system.weights != "default" and Path(system.weights).exists():
        return weights_hash(system.weights)
    digest = hashlib.sha256()
    state: dict[str, Any] = model.state_dict()
    for key in sorted(state):
        digest.update(key.encode())
        digest.update(state[key].detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]


def _file_name(text: str) -> str:
    """A name for one file, another for every text."""
    return quote(text, safe=" =@")
