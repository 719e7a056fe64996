"""A network as an ONNX file that runs without PyTorch, checked against PyTorch before it takes its name.

Next to `model.onnx` lies `model.json`, which says what the numbers mean and what the graph takes: our own `onnx:`
adapter reads it, and whoever writes another reader finds there all that is not in the graph.
"""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from avsnet.audio.chirp import sweep
from avsnet.errors import MissingExtraError, ModelError, OptionError
from avsnet.geometry import ASSUMED_FOV, intrinsics_from_fov
from avsnet.io.whole_files import atomic_path
from avsnet.models.avsnet.graph import AvsnetGraph
from avsnet.models.avsnet.network import AVSNet
from avsnet.models.contract import DepthModel
from avsnet.models.info import ModelInfo
from avsnet.models.resize import input_size
from avsnet.scale.ear_graph import INPUTS, EarGraph
from avsnet.scale.ear_network import EarNetwork

TOLERANCE = 1e-4
"""Of the largest value, by which a graph's output may differ from PyTorch's."""

_TYPICAL = (480, 640)  # of a picture, for networks that keep its aspect
_BATCHES = (1, 2, 3)  # of the checks; traced is the last, which is no other axis' length
_RUNS = 5  # of which the fastest counts
_RULES = ("fit", "resample", "upsample", "upsample_inverse", "flip", "pad")  # of `ModelInfo`, which the graph lacks

Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Export:
    """What was written, and how it compares.

    Args:
        path: the graph; its side file has the same stem.
        size: (height, width) of the pictures that it takes, in any batch; None of what takes no picture.
        error: largest difference to PyTorch, of the largest value.
        torch_seconds: for one picture.
        onnx_seconds: for the same.
    """

    path: Path
    size: tuple[int, int] | None
    error: float
    torch_seconds: float
    onnx_seconds: float

    @property
    def speed_up(self) -> float:
        """How many times as fast as PyTorch onnxruntime is, on this machine's CPU."""
        return self.torch_seconds / self.onnx_seconds


def export_onnx(model: DepthModel | EarNetwork, path: str | Path, size: tuple[int, int] | None = None) -> Export:
    """Write a network as ONNX, with its side file; both appear once the graph gives what PyTorch gives.

    Args:
        model: one whose `forward` takes a picture alone, an AVS-Net, or the ear. It stays as it is.
        path: ends in `.onnx`.
        size: (height, width) of the picture; None: the network's own for a picture of 4:3.

    Raises:
        OptionError: another ending, a size that the network does not take, or a network that no graph can follow.
        ModelError: the exporter fails, or the graph differs from the network by more than `TOLERANCE`.
        MissingExtraError: onnx, onnxscript or onnxruntime is not installed.
        OutputError: the files cannot be written.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise OptionError(f"{path}: an export is named NAME.onnx")
    _require_extra()
    if isinstance(model, EarNetwork):
        return _written(path, _ear_plan(model), _ear_declaration(), None)
    sides = _legal(model.info, size)
    plan = _plan(model)
    return _written(path, plan, _declaration(model, plan, sides), sides)


class PictureGraph(nn.Module):
    """A network that only sees, as a function of tensors."""

    def __init__(self, model: DepthModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) 0..1 RGB -> (B, 1, h, w) of the network's kind."""
        return (self.model({"image": image})[self.model.info.output],)


@dataclass(frozen=True)
class _Plan:
    """A network in two forms, and what they take and give.

    Args:
        graph: what is exported.
        native: what it has to equal: the network as avsnet runs it.
        inputs: makes inputs for (batch, size).
        names: of the outputs.
    """

    graph: nn.Module
    native: Callable[[Inputs], Sequence[Tensor]]
    inputs: Callable[[int, Any], Inputs]
    names: list[str]


def _plan(model: DepthModel) -> _Plan:
    """Of a network that sees."""
    info = model.info
    if not isinstance(model, AVSNet):
        if info.hears or info.takes_intrinsics:
            raise OptionError(f"{info.name}: of the networks that hear only AVS-Nets can be exported")
        return _Plan(PictureGraph(model), lambda inputs: [model(inputs)[info.output]], _inputs, [info.output])
    graph = AvsnetGraph(model)
    names = [info.output] if graph.hearing is None else [info.output, "heard"]
    rate = 0 if model.audio is None else model.audio.sample_rate
    samples = None if graph.hearing is None else graph.hearing.samples
    inputs = partial(_inputs, samples=samples, sample_rate=rate, camera=info.takes_intrinsics)

    def native(batch: Inputs) -> list[Tensor]:
        given: dict[str, Any] = {**batch, "sample_rate": rate}
        outputs = model(given)
        return [outputs[name] for name in names]

    return _Plan(graph, native, inputs, names)


def _ear_plan(ear: EarNetwork) -> _Plan:
    """Of the ear."""

    def native(batch: Inputs) -> list[Tensor]:
        echo, rig, seen, numbers = (batch[name] for name in INPUTS)
        likelihood = ear.log_likelihood(ear.heard(echo, rig), ear.seen(seen))
        return [ear.tempered(likelihood), ear.log_prior(numbers)]

    return _Plan(EarGraph(ear), native, _ear_inputs, ["log_likelihood", "log_prior"])


def _legal(info: ModelInfo, size: tuple[int, int] | None) -> tuple[int, int]:
    sides = size or input_size(info, *_TYPICAL)
    multiple = info.size_multiple
    if sides != info.size and (multiple is None or min(sides) < 1 or any(side % multiple for side in sides)):
        wanted = f"{info.size} alone" if multiple is None else f"multiples of {multiple}"
        raise OptionError(f"size {sides}: {info.name} takes {wanted}")
    return sides


def _written(path: Path, plan: _Plan, declared: dict[str, Any], sides: tuple[int, int] | None) -> Export:
    """Trace, save under a passing name, check, and only then take the name."""
    with atomic_path(path) as temporary, atomic_path(path.with_suffix(".json")) as side:
        _trace(path, plan, plan.inputs(_BATCHES[-1], sides), temporary)
        session = _session(temporary)
        error = max(_difference(path, plan, session, plan.inputs(count, sides)) for count in _BATCHES)
        single = plan.inputs(1, sides)
        feed = {name: value.numpy() for name, value in single.items()}
        torch_seconds = _fastest(lambda: plan.native(single))
        onnx_seconds = _fastest(lambda: session.run(None, feed))
        side.write_text(json.dumps(declared, indent=1) + "\n", encoding="utf-8")
    return Export(path, sides, error, torch_seconds, onnx_seconds)


def _trace(path: Path, plan: _Plan, inputs: Inputs, temporary: Path) -> None:
    """The graph as a file of its own; of its axes the batch is free."""
    shapes = {name: {0: torch.export.Dim.DYNAMIC} for name in inputs}
    try:
        with _quiet(), torch.inference_mode():
            program = torch.onnx.export(
                plan.graph.eval(),
                kwargs=inputs,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=list(inputs),
                output_names=plan.names,
                external_data=False,
                verbose=False,
            )
            assert program is not None
            program.save(str(temporary), external_data=False)
    except Exception as error:  # the exporter's own errors share no base, and networks raise what they like
        _raise_if_of_the_disk(error)
        reason = " ".join(str(error).split("Exception summary")[-1].split())[:200] or type(error).__name__
        raise ModelError(f"{path}: PyTorch's exporter cannot follow this network ({reason})") from None


def _raise_if_of_the_disk(error: BaseException | None) -> None:
    """A full disk is no fault of the network, though a step of the exporter may have wrapped what it said."""
    while error is not None:
        if isinstance(error, OSError):
            raise error
        error = error.__cause__


def _difference(path: Path, plan: _Plan, session: Any, inputs: Inputs) -> float:
    """Largest difference between PyTorch and the graph, of the largest value.

    Raises:
        ModelError: it is more than `TOLERANCE`.
    """
    with torch.inference_mode():
        wanted = [value.numpy() for value in plan.native(inputs)]
    try:
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    except Exception as error:  # onnxruntime's own error types share no public base
        raise ModelError(f"{path}: the exported graph does not run ({' '.join(str(error).split())[:200]})") from None
    difference = max(_relative(a, b) for a, b in zip(wanted, found, strict=True))
    if not difference <= TOLERANCE:
        raise ModelError(f"{path}: the exported graph differs from PyTorch by {difference:.2g} of the largest value")
    return difference


def _relative(wanted: np.ndarray, found: np.ndarray) -> float:
    if wanted.shape != found.shape:
        return np.inf
    wanted, found = wanted.astype(np.float64), found.astype(np.float64)
    return float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), 1e-6))


def _inputs(
    count: int, sides: tuple[int, int], samples: int | None = None, sample_rate: int = 0, camera: bool = False
) -> Inputs:
    """Made pictures, each with the echo of a wall, and their camera."""
    draw = torch.Generator().manual_seed(count)
    made = {"image": torch.rand(count, 3, *sides, generator=draw)}
    if samples is not None:
        waveform = 1e-3 * torch.randn(count, 2, samples, generator=draw)
        played = torch.from_numpy(sweep(sample_rate)).float()
        for row in range(count):
            for start, gain in ((700 + 100 * row, 0.5), (1100 + 137 * row, 0.1)):
                waveform[row, :, start : start + len(played)] += gain * played
        made["waveform"] = waveform
    if camera:
        matrix = torch.from_numpy(intrinsics_from_fov(sides[1], sides[0], ASSUMED_FOV)).float()
        made["intrinsics"] = matrix.repeat(count, 1, 1)
    return made


def _ear_inputs(count: int, _sides: None = None) -> Inputs:
    draw = torch.Generator().manual_seed(count)
    made = {name: torch.rand(count, *shape, generator=draw) for name, shape in INPUTS.items()}
    made["echo"][:, -1] = 1.0  # all is audible
    return made


def _declaration(model: DepthModel, plan: _Plan, sides: tuple[int, int]) -> dict[str, Any]:
    """The side file of a network that sees: what `avsnet.models.onnx` reads."""
    info = model.info
    entries: dict[str, Any] = {
        "output": info.output,
        "output_name": info.output,
        "layout": "NCHW",
        "size": list(sides),
        "license": info.weights_licence,
        "focal": info.focal,
        "scale_bias": info.scale_bias,
        "scale_spread": info.scale_spread,
    }
    entries |= {name: getattr(info, name) for name in _RULES}
    entries["fit"] = "exact"  # the graph takes this one size
    if info.takes_intrinsics:
        entries["takes_intrinsics"] = True
    if info.gives_scale:
        entries["gives_scale"] = True
    if info.trained_on:
        entries["trained_on"] = info.trained_on
    graph = plan.graph
    if isinstance(graph, AvsnetGraph) and graph.hearing is not None:
        # The direct sound is found and put at `align_to` within the graph, by the matched filter of our 3 ms sweep.
        entries |= {"audio": asdict(graph.hearing.settings), "samples": graph.hearing.samples}
        entries["echo_dropout"] = model.echo_dropout
    return entries


def _ear_declaration() -> dict[str, Any]:
    from avsnet.scale.ear_network import LOG_MEDIANS

    return {
        "model": "ear",
        "inputs": {name: ["batch", *shape] for name, shape in INPUTS.items()},
        "features": "avsnet.scale.ear_echo.echo_channels, .rig_numbers; avsnet.scale.ear_map.map_features",
        "outputs": ["log_likelihood", "log_prior"],
        "log_medians": [round(float(LOG_MEDIANS[0]), 6), round(float(LOG_MEDIANS[-1]), 6), int(LOG_MEDIANS.size)],
        "meaning": "log probability of each median depth in metres: likelihood ratio of the echo, prior of the map; "
        "their sum, normalised, is the posterior",
        "license": "Apache-2.0",
    }


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _fastest(run: Callable[[], Any]) -> float:
    """Seconds of the fastest run."""
    seconds = []
    with torch.inference_mode():
        for _ in range(_RUNS):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def _require_extra() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"an export needs {error.name}; pip install 'avsnet[export]'") from None


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its own story in warnings and a log; what matters is checked afterwards."""
    logger = logging.getLogger("torch")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
