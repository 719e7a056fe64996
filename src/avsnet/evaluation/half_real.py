"""Half-real evaluation: real pictures and depth, echoes made of that depth with one known rig a frame, every scaling.

The one measure of what an echo is worth on real photographs: recordings of true echoes with pictures are too few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.data.reading import Reading
from avsnet.evaluation.instances import Case, Cases
from avsnet.evaluation.protocol import ORACLES
from avsnet.evaluation.trials import Scaling, System, Trial, automatic_trial, sort_key
from avsnet.models import packaged
from avsnet.models.registry import model_info
from avsnet.rooms.half_real import HalfReal, open_half_real
from avsnet.scale.reference import default_method
from avsnet.scale.rules import METHODS
from avsnet.scale.sources import HEARD, automatic, sources_of_tables

CAP = 10.0
"""Metres up to which depth counts unless the user says otherwise, whatever the data set."""

DEVELOPMENT = ("hololens_rgbd",)
"""Folders on which choices of this project were made: called development sets wherever numbers of them are printed."""


CONTROLS = ("shuffled", "silent", "late")
"""Echoes that say nothing, or something wrong, of a scene: another scene's by the same rig, none, one 5 ms late."""

_FINER = ("log_affine", "histogram", "grid")  # rules of more than one number, where `METHODS` has them
_RENDERED = {
    "rooms": "the simulated rooms' own, on which the networks that hear were trained",
    "planes": "pyroomacoustics, image sources on the planes of the depth, on which no network was trained",
}


class HalfRealCases(Cases):
    """The frames of a data set with depth, each with its made echo and rig.

    Args:
        source: `NAME:WHERE`, or a folder that is recognised.
        split: as for `Reading`.
        cap: metres; deeper pixels do not count, and predictions are lowered to it.
        seed: of rigs, rooms, noise and shuffled echoes.
        cache: folder in which recordings are kept.
        renderer: what makes the echoes, one of `avsnet.rooms.half_real.RENDERERS`.

    Raises:
        OptionError: no such source, split or renderer, or one without depth.
        DataError: the data set is not as published.
    """

    counts_unknown = True

    def __init__(
        self,
        source: str,
        split: str = "test",
        cap: float = CAP,
        seed: int = 0,
        cache: Path | None = None,
        renderer: str = "rooms",
    ) -> None:
        opened = open_half_real(source, Reading(split, cap=cap, cache=cache), seed=seed, renderer=renderer)
        self.made: HalfReal = opened.data  # type: ignore[assignment]
        suffix = "" if renderer == "rooms" else f":{renderer}"
        super().__init__(opened.data, f"{opened.name}:{split}{suffix}", cap, seed)

    @property
    def role(self) -> str:
        """What the data are to this project: "development set" or "test set"."""
        return "development set" if any(name in self.name for name in DEVELOPMENT) else "test set"

    def heard(self, case: Case, index: int, echo: str) -> dict[str, Any]:
        """As for all data; a shuffled echo is that of another frame's depth, recorded by this frame's rig."""
        if echo != "shuffled":
            found = super().heard(case, index, echo)
        else:
            waveform = torch.from_numpy(self.made.recording(int(self.other[index]), recorder=index))
            found = {"waveform": waveform, "sample_rate": SAMPLE_RATE}
        return found | {"rig": case.rig}

    @property
    def header(self) -> dict[str, str]:
        """What the numbers depend on besides: for `evaluate`."""
        return {
            "role": self.role,
            "rig": "one a frame, drawn from the seed, known to whoever can use it",
            "renderer": _RENDERED[self.made.renderer],
            "echoes": f"made of the depth, seed {self.seed}; shuffled: of another frame's depth, by this frame's rig",
        }


def every_row(systems: Sequence[System], *, controls: Sequence[str] = CONTROLS) -> list[Trial]:
    """The rows: each third-party model by itself, for this camera, and scaled by every source; each AVS-Net by itself.

    Args:
        systems: third-party models, and AVS-Nets by which they are scaled; of those without any, the packaged pair.
        controls: further rows of whatever hears: which other echoes it hears, of `avsnet.evaluation.trials.ECHOES`.

    Raises:
        ModelError: an unknown model.
    """
    info = {system: model_info(system.name) for system in systems}
    networks = [system for system in systems if info[system].gives_scale]
    networks = networks or [System(packaged.V), System(packaged.AV)]
    hearing = {network for network in networks if model_info(network.name).hears}
    conditions = ("true", *controls)
    references = [*networks]
    references += [replace(network, echo=echo) for network in networks if network in hearing for echo in controls]
    trials = [Trial(reference) for reference in references]
    trials += [Trial(network, Scaling("oracle_median")) for network in networks]
    corrected = [network for network in hearing if automatic(network.build().info, True).source is HEARD]
    trials += [automatic_trial(network, Scaling.automatic(echo)) for network in corrected for echo in conditions]
    for system in systems:
        if system in networks:
            continue
        kind = info[system].output
        rule = default_method(kind)
        trials += [Trial(system, Scaling(rule, reference)) for reference in references]
        trials += [Trial(system, Scaling(name)) for name in (ORACLES if rule == "median" else [f"oracle_{rule}"])]
        if kind == "metric_depth":
            trials.append(Trial(system))
            trials += [Trial(system, Scaling("focal"))] if info[system].focal is not None else []
        if rule == "median":
            finer = [name for name in _FINER if name in METHODS]
            trials += [Trial(system, Scaling(name, network)) for name in finer for network in networks]
            trials += [Trial(system, Scaling.automatic(echo)) for echo in conditions]
            trials += [Trial(system, Scaling(name, echo=echo)) for name in sources_of_tables() for echo in conditions]
    return sorted(trials, key=sort_key)
