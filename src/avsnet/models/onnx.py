"""Third-party ONNX depth networks behind the model contract; a side file says what their numbers mean.

`model.onnx` holds a graph but not the meaning of its output, so `model.json` beside it declares that:
{"output": kind, "layout": "NHWC" | "NCHW", "size": [height, width]}, and where they differ from the defaults
"output_name": null, "output_scale": 1, "output_min": null, "range": [0, 1], "mean": [0, 0, 0], "std": [1, 1, 1],
"license": text, "focal": null, "scale_bias": 0, "scale_spread": 0.35. Of a graph with several outputs (depth, normals,
confidence), "output_name" says which one is the map; "focal" is the focal length over picture width at which a network
has learned metres, the two after it say how these err, as `ModelInfo` has them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avsnet.errors import MissingExtraError, ModelError
from avsnet.models.contract import DepthModel
from avsnet.models.info import OUTPUT_KINDS, ModelInfo
from avsnet.models.resize import checked_image
from avsnet.weights import weights_hash, what_else

LAYOUTS = ("NCHW", "NHWC")
DEFAULTS: dict[str, Any] = {
    "output_name": None,
    "output_scale": 1,
    "output_min": None,
    "range": (0, 1),
    "mean": (0, 0, 0),
    "std": (1, 1, 1),
    "license": "not stated",
    "focal": None,
    "scale_bias": 0,
    "scale_spread": 0.35,
}
_BESIDE = ("license", "focal", "scale_bias", "scale_spread")  # what the map itself does not depend on
TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""What a graph may take; in whole numbers the declared range should be [0, 255]."""

_LOCATION = re.compile(rb"\n\x08location\x12")  # in a graph: the key of the file in which a tensor's numbers lie
EXAMPLE = '{"output": "disparity", "layout": "NCHW", "size": [192, 640]}'


class OnnxDepthModel(DepthModel):
    """An ONNX network that takes one RGB image of one fixed size and returns a map of a declared kind.

    The network sees (low + (high - low) * image - mean) / std with "range" = [low, high], so mean and std are
    in the units of the range; what it returns becomes max(raw * output_scale, output_min).

    Args:
        path: the `.onnx` file; its side file has the same stem and the suffix `.json`.
        entries: replace entries of the side file; with the three required ones no side file is needed.

    Attributes:
        info: its `ModelInfo`.
        weights_hash: of the file, of the files in which it keeps tensors, and of what is declared but the licence.

    Raises:
        ModelError: the file is missing or broken, a declaration is missing or wrong, or the two disagree.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, path: str | Path, **entries: Any) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"{self.path}: no such file; onnx: needs the path of an .onnx file")
        declared = read_declaration(self.path, entries)
        self.kind: str = declared["output"]
        self.layout: str = declared["layout"]
        self.size: tuple[int, int] = tuple(declared["size"])
        self.output_scale = float(declared["output_scale"])
        self.output_min = -math.inf if declared["output_min"] is None else float(declared["output_min"])
        low, high = declared["range"]
        mean, std = (np.array(declared[key], dtype=float).reshape(3, 1, 1) for key in ("mean", "std"))
        self._gain = ((high - low) / std).astype(np.float32)
        self._offset = ((low - mean) / std).astype(np.float32)
        meaning = {name: value for name, value in declared.items() if name not in _BESIDE}
        self.weights_hash = weights_hash(self.path, *external_files(self.path), options=meaning)
        self.info = ModelInfo(
            name=f"onnx:{self.path.name}",
            output=self.kind,
            code_licence=declared["license"],
            weights_licence=declared["license"],
            source=str(self.path),
            size=self.size,
            size_multiple=None,
            focal=declared["focal"],
            scale_bias=float(declared["scale_bias"]),
            scale_spread=float(declared["scale_spread"]),
        )
        self._session = _open_session(self.path)
        self._output = _output_name(self.path, self._session, declared["output_name"])
        self._type = _input_type(self.path, self._session, self.layout, self.size)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """One pass over each image; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, (H, W) being `info.size`.

        Returns:
            {`info.output`: (B, 1, h, w) float32} at the network's own output size, on the image's device.

        Raises:
            SampleError: no image, or one of another shape or type, or with NaN in it.
            ModelError: the network fails, or returns anything but one map per image with finite numbers in it.
        """
        image = checked_image(batch, self.info)
        inputs = image.detach().cpu().float().numpy() * self._gain + self._offset
        inputs = (np.rint(inputs) if self._type is np.uint8 else inputs).astype(self._type)
        if self.layout == "NHWC":
            inputs = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
        # One at a time: most exported graphs have a batch of one built in.
        values = np.stack([self._run(inputs[i : i + 1]) for i in range(len(inputs))])
        return {self.kind: torch.from_numpy(values).to(image.device)}

    def _run(self, inputs: np.ndarray) -> np.ndarray:
        """One image of the graph's layout to one map, (1, h, w) float32 in the declared unit."""
        try:
            (raw,) = self._session.run([self._output], {self._session.get_inputs()[0].name: inputs})
        except Exception as error:  # onnxruntime's own error types share no public base
            raise ModelError(f"{self.path}: the network fails to run ({_first_line(error)})") from None
        raw = np.asarray(raw)
        raw = raw[None] if raw.ndim == 2 else raw
        if raw.ndim == 4 and raw.shape[0] == 1 and 1 in (raw.shape[1], raw.shape[3]):
            raw = raw[:, 0] if raw.shape[1] == 1 else raw[..., 0]
        if raw.ndim != 3 or raw.shape[0] != 1 or raw.size == 0:
            raise ModelError(f"{self.path}: output of shape {raw.shape} is no map (1, 1, h, w) or (1, h, w, 1)")
        if not np.isfinite(raw).any():
            raise ModelError(f"{self.path}: the output has NaN or infinite values; is it normalised as declared?")
        return np.maximum(raw.astype(np.float32) * np.float32(self.output_scale), np.float32(self.output_min))


def read_declaration(path: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """What an ONNX file's side file and the caller declare about it, complete and checked.

    Args:
        path: the `.onnx` file; the side file `<stem>.json` beside it may be missing if `entries` suffice.
        entries: as in the side file; they win over it.

    Returns:
        All entries of the module's docstring.

    Raises:
        ModelError: a side file that is not JSON; an entry that is missing, unknown or wrong.
    """
    side = path.with_suffix(".json")
    declared: Any = {}
    if side.exists():
        try:
            declared = json.loads(side.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{side}: cannot be read as JSON ({_first_line(error)})") from None
        if not isinstance(declared, dict):
            raise ModelError(f"{side}: must hold one JSON object like {EXAMPLE}")
    declared = {**declared, **entries}
    missing = [name for name in _RULES if name not in declared and name not in DEFAULTS]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        where = f"{side} lacks" if side.exists() else f"there is no {side} to declare"
        raise ModelError(f"{path}: {where} {names}; write for example {EXAMPLE} there, or give them as options")
    for name, value in declared.items():
        if name not in _RULES:
            raise ModelError(f'{path}: unknown entry "{name}"; known are {", ".join(_RULES)}')
        legal, rule = _RULES[name]
        if not legal(value):
            raise ModelError(f'{path}: "{name}" is {value!r}, but must be {rule}')
    return {**DEFAULTS, **declared}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == count and all(map(_is_number, value))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "output": (lambda v: v in OUTPUT_KINDS, f"one of {', '.join(OUTPUT_KINDS)}"),
    "layout": (lambda v: v in LAYOUTS, f"one of {', '.join(LAYOUTS)}"),
    "size": (
        lambda v: _are_numbers(v, 2) and all(isinstance(n, int) and n > 0 for n in v),
        "[height, width] in whole pixels",
    ),
    "output_scale": (lambda v: _is_number(v) and v != 0, "a number other than 0"),
    "output_min": (lambda v: v is None or _is_number(v), "a number or null"),
    "range": (lambda v: _are_numbers(v, 2) and v[0] < v[1], "[low, high] with low < high"),
    "mean": (lambda v: _are_numbers(v, 3), "three numbers"),
    "std": (lambda v: _are_numbers(v, 3) and min(v) > 0, "three numbers above 0"),
    "license": (lambda v: isinstance(v, str), "a text"),
    "focal": (lambda v: v is None or (_is_number(v) and v > 0), "a number above 0, such as 0.889, or null"),
    "scale_bias": (lambda v: _is_number(v) and abs(v) <= 3, "a logarithm from -3 to 3"),
    "scale_spread": (lambda v: _is_number(v) and 0.02 <= v <= 3, "a deviation of log scale, 0.02 to 3"),
    "output_name": (lambda v: v is None or isinstance(v, str), "the name of an output, or null"),
}


def external_files(path: Path) -> list[Path]:
    """The files beside a graph in which it keeps tensors, sorted; those that are not there are left out.

    Args:
        path: the `.onnx` file. Its format is not parsed: every entry "location" of it is looked at.
    """
    content = path.read_bytes()
    names = set()
    for found in _LOCATION.finditer(content):
        start, length, shift = found.end(), 0, 0
        while start < len(content):  # the length, seven bits a byte, the lowest first
            byte, start = content[start], start + 1
            length, shift = length | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        names.add(content[start : start + length].decode("utf-8", errors="replace"))
    files = (path.parent / name for name in sorted(names) if name and "\0" not in name)
    return [file for file in files if file.is_file()]


def _open_session(path: Path) -> Any:
    """Open the graph with onnxruntime on the CPU."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError(
            f"{path}: onnx: models need onnxruntime; install avsnet[export] (pip install 'avsnet[export]')"
        ) from None
    for file in (path, *external_files(path)):
        if other := what_else(file):
            raise ModelError(f"{file}: no readable ONNX graph, is {other}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is raised; onnxruntime need not print it as well
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own error types share no public base
        raise ModelError(f"{path}: no readable ONNX graph ({_first_line(error)})") from None


def _output_name(path: Path, session: Any, declared: str | None) -> str:
    """The output that is the map: the declared one, or the only one."""
    names = [output.name for output in session.get_outputs()]
    if declared is not None and declared not in names:
        raise ModelError(f'{path}: "output_name" is {declared!r}, but the outputs are {", ".join(names)}')
    inputs = [one.name for one in session.get_inputs()]
    if len(inputs) != 1:
        raise ModelError(
            f"{path}: the graph has {len(inputs)} inputs and {len(names)} outputs; it must take one image, and takes "
            f"{', '.join(inputs) or 'nothing'}; export it with the image as its only input"
        )
    if declared is None and len(names) != 1:
        raise ModelError(
            f"{path}: the graph has {len(inputs)} inputs and {len(names)} outputs, {', '.join(names)}; say which one "
            f'is the map: "output_name": "{names[0] if names else ""}" in the side file, or the option output_name'
        )
    return declared or names[0]


def _input_type(path: Path, session: Any, layout: str, size: tuple[int, int]) -> Any:
    """NumPy's type for the picture, once the graph's input is found to be as declared."""
    (one,) = session.get_inputs()
    if one.type not in TYPES:
        raise ModelError(f"{path}: the input is {one.type}; it must be one of {', '.join(TYPES)}")
    expected = [1, 3, *size] if layout == "NCHW" else [1, *size, 3]
    # A free dimension has a name, or None, in place of a number.
    free = [n if isinstance(n, int) and n > 0 else None for n in one.shape]
    if len(free) != 4 or any(n not in (None, m) for n, m in zip(free, expected, strict=True)):
        raise ModelError(
            f"{path}: the graph takes {one.shape}, but layout {layout} and size {list(size)} declare {expected}"
        )
    return TYPES[one.type]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
