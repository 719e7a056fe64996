"""What is compared: systems (a depth model, its weights, the echo it hears) and the rules that scale their maps.

Text forms, as on the command line: a system is `NAME[=WEIGHTS][@ECHO]`; a scaling is `none`, `focal`, a
source of `avsnet.scale.sources` that hears, such as `ranging[@ECHO]`, one of `ORACLES`, or `RULE:SYSTEM`, a rule of
`avsnet.scale.rules.METHODS` and whose metres it takes; `RULE:SYSTEM+ear` bends a map towards that system's, and the ear
scales it, hearing what the system hears; `RULE:ear[@ECHO]` is a rule that the ear follows by itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avsnet.errors import OptionError
from avsnet.evaluation.protocol import ORACLES
from avsnet.models import packaged
from avsnet.models.contract import DepthModel
from avsnet.models.registry import PREFIXES, create_model, model_info
from avsnet.scale.rules import METHODS
from avsnet.scale.sources import HEARD, SOURCES, sources_of_tables

ECHOES = ("true", "shuffled", "silent", "late", "unaligned")
"""What a system hears: the sample's own echo; that of another sample; nothing; its own with everything after the direct
sound 5 ms late; its own where the file has it, the model's alignment switched off."""


@dataclass(frozen=True, order=True)
class System:
    """A depth model with its weights and the echo it hears.

    Attributes:
        name: for `create_model`.
        weights: a file or folder; "default" for the model's own.
        echo: one of `ECHOES`.
    """

    name: str
    weights: str = "default"
    echo: str = "true"

    @classmethod
    def parse(cls, text: str) -> System:
        """Read `NAME[=WEIGHTS][@ECHO]`; in names with a prefix, what is no known echo belongs to the path.

        Raises:
            OptionError: no name, or an unknown echo.

        >>> System.parse("avsnet_lite0_av=runs/best@shuffled")
        System(name='avsnet_lite0_av', weights='runs/best', echo='shuffled')
        """
        head, at, echo = text.strip().rpartition("@")
        prefixed = text.partition(":")[0] in PREFIXES
        if not at or (prefixed and echo not in ECHOES):
            head, echo = text.strip(), "true"
        name, _, weights = (head, "", "") if prefixed else head.partition("=")
        if not name:
            raise OptionError(f"system {text!r}: wanted NAME[=WEIGHTS][@ECHO], such as avsnet_lite0_av@shuffled")
        if echo not in ECHOES:
            raise OptionError(f"system {text!r}: echo {echo!r} is none of {', '.join(ECHOES)}")
        return cls(name, weights or "default", echo)

    @property
    def label(self) -> str:
        """What tables and folders call it: the name without paths, and what is not the default.

        >>> System.parse("onnx:models/fast.onnx").label, System("bitd", "runs/7", "silent").label
        ('onnx:fast', 'bitd=7@silent')
        """
        prefix, colon, rest = self.name.partition(":")
        label = f"{prefix}:{Path(rest).stem}" if colon else self.name
        own = self.weights == "default" or Path(self.weights).name == self.name
        label += "" if own else f"={Path(self.weights).name}"
        return label if self.echo == "true" else f"{label}@{self.echo}"

    def build(self) -> DepthModel:
        """The model with its weights.

        Raises:
            ModelError: an unknown name, weights that are missing or broken.
            OptionError: an option that the model does not have.
        """
        weights = "default" if self.name.partition(":")[0] in PREFIXES else self.weights
        model = create_model(self.name, weights=weights)
        settings: Any = getattr(model, "audio", None)
        if self.echo == "unaligned":
            if getattr(settings, "align_to", None) is None:
                raise OptionError(
                    f"{self.label}: {self.name} aligns nothing by itself, so there is nothing to switch off"
                )
            model.audio = dataclasses.replace(settings, align_to=None)
        return model


@dataclass(frozen=True, order=True)
class Scaling:
    """How a map gets its metres.

    Attributes:
        rule: "none"; "focal", metres times this camera's focal length over that of the pictures that the model learned
            from; "auto", what `predict` does with an echo; one of `sources_of_tables()`, of `ORACLES`, or of `METHODS`.
        reference: whose metres a rule of `METHODS`, or "auto" of a model that is no AVS-Net, takes; else None.
        echo: one of `ECHOES`, what a source hears; "true" leaves that to the system.
        ear: whether the ear sets the scale of what a rule of `METHODS` makes.
    """

    rule: str = "none"
    reference: System | None = None
    echo: str = "true"
    ear: bool = False

    @classmethod
    def parse(cls, text: str) -> Scaling:
        """Read a scaling.

        Raises:
            OptionError: an unknown rule, or a rule without, or with, a system that it needs, or does not.

        >>> Scaling.parse("median:avsnet_lite0_v").label
        'median:avsnet_lite0_v'
        """
        rule, colon, reference = text.strip().partition(":")
        alone = ("none", "focal", *sources_of_tables(), *ORACLES)
        heard, _, echo = reference.partition("@")
        if rule in SOURCES["ear"].methods and heard == "ear" and (not echo or echo in ECHOES):
            return cls(rule, echo=echo or "true", ear=True)
        if rule in HEARD.methods and reference.endswith("+ear"):
            system = System.parse(reference.removesuffix("+ear"))
            return cls(rule, system, echo=system.echo, ear=True)
        if rule in METHODS and reference:
            return cls(rule, System.parse(reference))
        if rule in alone and not colon:
            return cls(rule)
        source, at, echo = rule.partition("@")
        if source == "auto" and not colon and (echo in ECHOES or not at):
            return cls.automatic(echo or "true")
        if at and not colon and source in sources_of_tables() and echo in ECHOES:
            return cls(source, echo=echo)
        forms = f"auto, {', '.join(alone)}, RULE:SYSTEM or RULE:SYSTEM+ear with a RULE of {', '.join(METHODS)}"
        raise OptionError(f"scaling {text!r}: wanted {forms}")

    @classmethod
    def automatic(cls, echo: str = "true") -> Scaling:
        """What `predict` does with an echo: the ear, and for a model that is none itself the packaged AVS-Net, too."""
        return cls("auto", System(packaged.AV, echo=echo), echo)

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.reference is not None and self.rule != "auto":
            return f"{self.rule}:{self.reference.label}{'+ear' if self.ear else ''}"
        rule = f"{self.rule}:ear" if self.ear else self.rule
        return rule if self.echo == "true" else f"{rule}@{self.echo}"


@dataclass(frozen=True, order=True)
class Trial:
    """One row of a table: a system, scaled."""

    system: System
    scaling: Scaling = Scaling()

    @property
    def systems(self) -> tuple[System, ...]:
        """Whose maps it needs."""
        return (self.system,) if self.scaling.reference is None else (self.system, self.scaling.reference)


def every_pair(systems: list[System], scalings: list[Scaling]) -> list[Trial]:
    """Every system under every scaling, but for maps scaled by themselves, each once and sorted."""
    pairs = {
        automatic_trial(system, one) if one.rule == "auto" else Trial(system, one)
        for system in systems
        for one in scalings
    }
    return sorted((trial for trial in pairs if trial.system != trial.scaling.reference), key=sort_key)


def automatic_trial(system: System, scaling: Scaling) -> Trial:
    """A system under "auto": one that hears gets the same echo as the ear does; an AVS-Net no other one's metres."""
    info = model_info(system.name)
    if info.gives_scale:
        scaling = dataclasses.replace(scaling, reference=None)
    if not info.hears:
        return Trial(system, scaling)
    if scaling.echo != "true":
        return Trial(dataclasses.replace(system, echo=scaling.echo), scaling)
    if system.echo == "unaligned":  # the network's own matter: the ear aligns by itself
        return Trial(system, scaling)
    return Trial(system, dataclasses.replace(scaling, echo=system.echo))


def sort_key(trial: Trial) -> tuple[str, str]:
    """The order of rows: by the labels, so that it does not depend on who asked first."""
    return trial.system.label, trial.scaling.label
