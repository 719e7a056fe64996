"""Evaluate systems on data: predict once, scale by every rule, score every image by the protocol."""

from __future__ import annotations

import platform
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from avsnet.audio.recording import Echo, Heard
from avsnet.audio.rig import Rig
from avsnet.errors import AudioError, DataError, DepthError, EchoError, OptionError
from avsnet.evaluation.instances import Case, Cases
from avsnet.evaluation.kept_maps import MapCache
from avsnet.evaluation.protocol import MINIMUM, ORACLES, Truth
from avsnet.evaluation.scores import Row, Scores, number
from avsnet.evaluation.trials import Scaling, System, Trial, sort_key
from avsnet.geometry import ASSUMED_FOV, camera_of
from avsnet.io.recordings import Recording
from avsnet.metrics import METRICS
from avsnet.metrics_shape import SHAPE_METRICS
from avsnet.models.info import ModelInfo
from avsnet.scale.rules import METHODS, ScaledDepth, as_depth
from avsnet.scale.scene import Scene
from avsnet.scale.sources import HEARD, NETWORK, SOURCES, Source, automatic

_TOLERANCE = 0.01  # share of rows that may be unreadable


@dataclass
class Clock:
    """Where the time of an evaluation went, in seconds.

    Attributes:
        total: all of it.
        setup: of it, for building networks and reading their weights.
        forward: of it, in networks.
        images: how many were evaluated.
    """

    total: float = 0.0
    setup: float = 0.0
    forward: float = 0.0
    images: int = 0


def evaluate(
    trials: Sequence[Trial],
    cases: Cases,
    out: Path,
    *,
    shard: tuple[int, int] | None = None,
    rig: Rig | None = None,
    extra: dict[str, str] | None = None,
    clock: Clock | None = None,
) -> Scores:
    """Evaluate trials on a data set and write the scores.

    Maps are kept under `out/predictions`; a run that was ended is taken up where it was.

    Args:
        trials: systems and their scalings.
        cases: the data.
        out: folder.
        shard: (i, n): evaluate only every n-th instance, from the i-th, counted from 1; `scores.merge` joins the parts.
        rig: for ranging, of instances that have none of their own; None assumes the default rig.
        extra: further entries of the files' header.
        clock: is filled in.

    Returns:
        What was written.

    Raises:
        OptionError: no trials, or a folder of other weights or data.
        ModelError: a system that cannot be built, or fails.
        DataError: more than 1 % of the rows, or all, cannot be read.
    """
    if not trials:
        raise OptionError("nothing to evaluate: give at least one system")
    start = time.perf_counter()
    clock = clock or Clock()
    systems = sorted({system for trial in trials for system in trial.systems}, key=lambda system: system.label)
    labels = [system.label for system in systems]
    if len(set(labels)) != len(labels):
        raise OptionError(f"two systems are called {max(labels, key=labels.count)}; give their weights other names")
    caches = {system: MapCache(out / "predictions", system, cases) for system in systems}
    clock.setup += time.perf_counter() - start
    scores = Scores(_header(cases, caches, rig) | (extra or {}))
    first, step = (1, 1) if shard is None else shard
    places = range(first - 1, len(cases), step)
    unreadable: list[str] = []
    without_camera = 0
    for index, read in tqdm(_read_ahead(cases, places), cases.name, len(places), unit="image", disable=None):
        try:
            case = read()
            evaluated = _Evaluated(case, index, cases, caches, rig)
            rows = [evaluated.row(trial) for trial in sorted(trials, key=sort_key)]
        except DataError as error:
            unreadable.append(str(error))
            if len(unreadable) > max(1.0, _TOLERANCE * len(places)):
                raise DataError(f"{cases.name}: more than 1 % of the rows cannot be read, such as {error}") from None
            continue
        scores.rows += rows
        scores.intervals += evaluated.intervals
        without_camera += case.intrinsics is None
        clock.images += 1
    if unreadable and not scores.rows:
        raise DataError(f"{cases.name}: no row can be read, such as {unreadable[0]}")
    if unreadable:
        warnings.warn(
            f"{cases.name}: left out {len(unreadable)} unreadable rows, such as {unreadable[0]}", stacklevel=2
        )
    if without_camera and any(cache.info.takes_intrinsics for cache in caches.values()):
        warnings.warn(
            f"{cases.name}: no camera known of {without_camera} of {len(places)} pictures; {ASSUMED_FOV:g} degrees "
            "along the long side are assumed",
            stacklevel=2,
        )
    scores.write(out, shard)
    clock.forward += sum(cache.forward_seconds for cache in caches.values())
    clock.total += time.perf_counter() - start
    return scores


def _read_ahead(cases: Cases, places: Sequence[int]) -> Iterator[tuple[int, Callable[[], Case]]]:
    """Each place and what gives its instance, which is read while the one before it is evaluated."""
    with ThreadPoolExecutor(1) as reader:
        next_ones = iter(places)
        waiting = deque((place, reader.submit(cases.__getitem__, place)) for place in islice(next_ones, 2))
        while waiting:
            place, instance = waiting.popleft()
            yield place, instance.result
            waiting.extend((place, reader.submit(cases.__getitem__, place)) for place in islice(next_ones, 1))


@dataclass
class _Evaluated:
    """One instance with the maps that were made of it so far."""

    case: Case
    index: int
    cases: Cases
    caches: dict[System, MapCache]
    rig: Rig | None
    intervals: list[Row] = field(default_factory=list)
    maps: dict[System, np.ndarray] = field(default_factory=dict)
    recordings: dict[str, Heard] = field(default_factory=dict)

    @cached_property
    def truth(self) -> Truth:
        """The known depth."""
        return Truth(self.case.depth, self.case.valid, self.cases.cap)

    def row(self, trial: Trial) -> Row:
        """The row of a trial; its errors by depth interval are added to `intervals`."""
        keys = {
            "data": self.cases.name,
            "system": trial.system.label,
            "scaling": trial.scaling.label,
            "id": self.case.id,
        }
        row = keys | {"row": str(self.index), "status": "empty", "scale": ""}
        row |= self.case.labels | {"pixels": str(int(self.truth.counted.sum()))}
        row |= dict.fromkeys((*METRICS, *SHAPE_METRICS), "")
        if not self.truth.counted.any():
            return row
        try:
            scaled, status = self.scaled(trial)
        except (EchoError, AudioError, DepthError):
            return row | {"status": "failed"}
        if self.cases.counts_unknown:
            known = scaled.depth.ravel()[self.truth.pixels[0]] > 0.0
            row |= {"unknown": str(int((~known).sum()))}
        found, errors = self.truth.errors(scaled.depth)
        self.intervals += [
            keys | {"metre": str(metre), "mae": number(error)} for metre, error in enumerate(errors) if error == error
        ]
        found |= self.truth.shape_errors(scaled.depth, self.case.intrinsics)
        row |= {name: number(value) for name, value in found.items()}
        return row | {"status": status, "scale": number(scaled.scale)}

    def scaled(self, trial: Trial) -> tuple[ScaledDepth, str]:
        """The trial's map in metres, and its status.

        Raises:
            EchoError: the echo gives no scale, or there is none.
            AudioError: the recording cannot be listened to.
            DepthError: the rule finds no scale.
        """
        values, info = self._map(trial.system), self.caches[trial.system].info
        rule, reference = trial.scaling.rule, trial.scaling.reference
        if rule in ORACLES:
            scaled = self.truth.oracle(values, info.output, rule)
            return scaled, "ok" if scaled.fallback is None else "fallback"
        if rule == "focal":
            return self._for_this_camera(values, info), "ok"
        source = _source(trial.scaling, info)
        found = source.find(self._scene(values, info, trial), "" if reference is None else reference.label)
        if found.refusal is not None:
            return found.scaled, "refused"
        return found.scaled, "ok" if found.scaled.fallback is None else "fallback"

    def _for_this_camera(self, values: np.ndarray, info: ModelInfo) -> ScaledDepth:
        """Metres learned at one focal length, at that of the picture: a longer one makes all seem nearer."""
        assert info.focal is not None
        camera, _ = camera_of(self.case.intrinsics, None, values.shape)
        factor = float(camera[0, 0]) / values.shape[1] / info.focal
        return ScaledDepth(as_depth(values, info.output) * np.float32(factor), factor, 0.0, "focal")

    def _scene(self, values: np.ndarray, info: ModelInfo, trial: Trial) -> Scene:
        reference = trial.scaling.reference
        camera = self.case.intrinsics
        if camera is None:
            camera, _ = camera_of(None, None, values.shape)
        return Scene(
            values,
            info,
            camera,
            echo=lambda: self._echo(trial.system.echo if trial.scaling.echo == "true" else trial.scaling.echo),
            network=None if reference is None else lambda _: self._metric_map(reference),
            method=trial.scaling.rule if trial.scaling.rule in METHODS else None,
        )

    def _metric_map(self, system: System) -> np.ndarray:
        return as_depth(self._map(system), self.caches[system].info.output)

    def _map(self, system: System) -> np.ndarray:
        if system not in self.maps:
            self.maps[system] = self.caches[system].at_picture_size(self.case, self.index)
        return self.maps[system]

    def _echo(self, condition: str) -> Echo:
        if condition not in self.recordings:
            heard = self.cases.heard(self.case, self.index, condition)
            if not heard:
                raise EchoError("no recording")
            self.recordings[condition] = Heard(
                Recording(heard["waveform"].numpy(), heard["sample_rate"]), self.case.rig or self.rig
            )
        return self.recordings[condition].echo()


def _source(scaling: Scaling, info: ModelInfo) -> Source:
    """Where the metres of a scaling without the truth come from."""
    if scaling.rule == "auto":
        return automatic(info, has_echo=True).source
    if scaling.reference is not None and scaling.ear:
        return HEARD
    if scaling.reference is not None:
        return NETWORK
    return SOURCES["ear" if scaling.ear else scaling.rule]


def maps_in_metres(
    trials: Sequence[Trial], index: int, cases: Cases, out: Path, rig: Rig | None = None
) -> dict[Trial, np.ndarray]:
    """The scaled maps of one instance, for a picture of them.

    Args:
        trials: which.
        index: of the instance.
        cases: the data.
        out: folder of an evaluation, whose maps are used where they are there.
        rig: as for `evaluate`.

    Returns:
        Trial -> (H, W) metres; a trial whose rule finds no scale is left out.
    """
    systems = {system for trial in trials for system in trial.systems}
    caches = {system: MapCache(out / "predictions", system, cases) for system in systems}
    evaluated = _Evaluated(cases[index], index, cases, caches, rig)
    found = {}
    for trial in trials:
        try:
            found[trial] = evaluated.scaled(trial)[0].depth
        except (EchoError, AudioError, DepthError):
            continue
    return found


def _header(cases: Cases, caches: dict[System, MapCache], rig: Rig | None) -> dict[str, str]:
    """Every choice that the numbers depend on, but for the shard, which they do not depend on."""
    import torch

    header = {
        "avsnet": version("avsnet"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "data": f"{cases.name}, {len(cases)} rows",
        "mask": f"0 < truth <= {cases.cap:g} m",
        "clamp": f"predictions to [{MINIMUM:g}, {cases.cap:g}] m, unknown ones to the lower end",
        "size": "predictions are resized to the truth's size in their own unit, then turned into depth",
        "scaling": "medians, means and fits over all pixels of the maps at that size; oracles over valid pixels",
        "mean": "metrics per image, then over images; images without a valid pixel are left out and counted",
        "groups": cases.grouping,
        "shuffling": f"seed {cases.seed}",
        "rig": "assumed" if rig is None else rig.origin,
    }
    for system, cache in caches.items():
        made_by = ", ".join(
            f"{key} {value}" for key, value in cache.provenance.items() if key not in ("system", "data")
        )
        header[f"system {system.label}"] = made_by
    return header


def check_trials(trials: Sequence[Trial]) -> None:
    """Refuse trials that cannot work before any picture is opened: a shift left open and a rule that finds none.

    Raises:
        OptionError: names the first such trial.
        ModelError: an unknown model.
    """
    from avsnet.models.registry import model_info

    for trial in trials:
        output = model_info(trial.system.name).output
        rule = ORACLES.get(trial.scaling.rule) or METHODS.get(trial.scaling.rule)
        shifts = rule is not None and rule.finds_shift
        if output.startswith("affine") and not shifts:
            raise OptionError(
                f"{trial.system.label} gives {output}, whose shift {trial.scaling.label} does not find; "
                "scale it by affine:SYSTEM"
            )
        if trial.scaling.rule == "focal" and model_info(trial.system.name).focal is None:
            raise OptionError(
                f"{trial.system.label} does not say its focal length; an ONNX file's side file may: focal"
            )
        if trial.scaling.reference and model_info(trial.scaling.reference.name).output != "metric_depth":
            raise OptionError(f"{trial.scaling.label}: {trial.scaling.reference.label} gives no metres to scale by")
