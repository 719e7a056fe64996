"""Third-party ONNX depth networks behind the model contract; a side file says what their numbers mean.

The graph takes pictures; one that `avsnet export` made of a network that hears also takes a recording.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avsnet.audio.direct_sound import direct_sounds, shifted
from avsnet.audio.network_input import AudioSettings, resampled
from avsnet.errors import MissingExtraError, ModelError, SampleError
from avsnet.geometry import ASSUMED_FOV, intrinsics_from_fov
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.onnx_side_file import read_declaration
from avsnet.models.resize import checked_image
from avsnet.models.settings import settings_by_name
from avsnet.weights import weights_hash, what_else

# What the map does not depend on.
_BESIDE = ("license", "trained_on", "focal", "scale_bias", "scale_spread", "gives_scale")
_INFO = (
    *("size_multiple", "fit", "resample", "upsample", "upsample_inverse", "flip", "pad"),
    *("focal", "gives_scale", "takes_intrinsics", "trained_on"),
)  # entries that `ModelInfo` has under the same name
_LEAD = 0.05  # seconds kept before the direct sound of a recording that is longer than the graph takes

TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""What a graph may take; in whole numbers the declared range should be [0, 255]."""

_LOCATION = re.compile(rb"\n\x08location\x12")  # in a graph: the key of the file in which a tensor's numbers lie


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
            scale_bias=float(declared["scale_bias"]),
            scale_spread=declared["scale_spread"],
            hears=declared["audio"] is not None,
            **{name: declared[name] for name in _INFO},
        )
        if declared["audio"] is not None:
            self.audio = settings_by_name(AudioSettings, "audio", declared["audio"])
            self.echo_dropout = float(declared["echo_dropout"])
            self.samples: int = declared["samples"] or self.audio.samples
        self._session = _open_session(self.path)
        wanted = ["waveform"] * self.info.hears + ["intrinsics"] * self.info.takes_intrinsics
        self._output = _output_name(self.path, self._session, declared["output_name"], wanted)
        self._type = _input_type(self.path, self._session, self.layout, self.size)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """One pass over each image; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, of a size that is legal by `info`; of a network
                that hears `waveform` (B, 2, N) with `sample_rate`, without which it sees alone; of one that takes them
                `intrinsics` (B, 3, 3), in place of which a field of view of 70 degrees is assumed.

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
        feed = {self._session.get_inputs()[0].name: inputs}
        if self.info.hears:
            feed["waveform"] = self._window(batch, len(image))
        if self.info.takes_intrinsics:
            feed["intrinsics"] = _cameras(batch.get("intrinsics"), image)
        # One at a time: most exported graphs have a batch of one built in.
        rows = [{name: values[i : i + 1] for name, values in feed.items()} for i in range(len(image))]
        values = np.stack([self._run(row) for row in rows])
        return {self.kind: torch.from_numpy(values).to(image.device)}

    def _window(self, batch: dict[str, Any], count: int) -> np.ndarray:
        """(B, 2, samples) at the graph's rate: the beginning, or what is round a later direct sound; else silence."""
        assert self.audio is not None
        if batch.get("waveform") is None:
            if not self.echo_dropout:
                raise SampleError(f"batch: {self.info.name} needs a sound, 'waveform' with 'sample_rate'")
            return np.zeros((count, 2, self.samples), np.float32)
        waveform = batch["waveform"].detach().cpu().float()
        if waveform.shape[:2] != (count, 2) or batch.get("sample_rate") is None:
            raise SampleError(f"batch: 'waveform' must be ({count}, 2, N) with its 'sample_rate' in hertz")
        waveform = resampled(waveform, batch["sample_rate"], self.audio.sample_rate)
        if self.audio.centre:
            waveform = waveform - waveform.mean(dim=2, keepdim=True)
        start = torch.zeros(count, dtype=torch.long)
        if self.audio.align_to is not None and waveform.shape[2] > self.samples:
            direct, _, found = direct_sounds(waveform, self.audio.sample_rate)
            late = found & (direct + self.audio.samples > self.samples)
            start = torch.where(late, direct - round(_LEAD * self.audio.sample_rate), start)
        return shifted(waveform, start, self.samples).numpy()

    def _run(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        """One image of the graph's layout to one map, (1, h, w) float32 in the declared unit."""
        try:
            (raw,) = self._session.run([self._output], feed)
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


def _cameras(intrinsics: torch.Tensor | None, image: torch.Tensor) -> np.ndarray:
    """(B, 3, 3) float32, pixels of these pictures."""
    count, _, height, width = image.shape
    if intrinsics is not None:
        return intrinsics.detach().cpu().float().numpy()
    return np.repeat(intrinsics_from_fov(width, height, ASSUMED_FOV)[None], count, axis=0).astype(np.float32)


def _output_name(path: Path, session: Any, declared: str | None, others: list[str]) -> str:
    """The output that is the map: the declared one, or the only one."""
    names = [output.name for output in session.get_outputs()]
    if declared is not None and declared not in names:
        raise ModelError(f'{path}: "output_name" is {declared!r}, but the outputs are {", ".join(names)}')
    inputs = [one.name for one in session.get_inputs()]
    if inputs[1:] != others:
        wanted = " and ".join(["one image", *others])
        raise ModelError(
            f"{path}: the graph has {len(inputs)} inputs and {len(names)} outputs; it must take {wanted}, and takes "
            f"{', '.join(inputs) or 'nothing'}; "
            + ("declare what it takes" if others else "export it with the image as its only input")
        )
    if declared is None and len(names) != 1:
        raise ModelError(
            f"{path}: the graph has {len(inputs)} inputs and {len(names)} outputs, {', '.join(names)}; say which one "
            f'is the map: "output_name": "{names[0] if names else ""}" in the side file, or the option output_name'
        )
    return declared or names[0]


def _input_type(path: Path, session: Any, layout: str, size: tuple[int, int]) -> Any:
    """NumPy's type for the picture, once the graph's input is found to be as declared."""
    one = session.get_inputs()[0]
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
