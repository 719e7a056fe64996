"""Which rows make the paper's tables, and which of them can be run with the weights that are there.

Table 1: stage one. Table 2: stage two, every relative and zero-shot model unscaled, scaled by the visual-only and by
the audio-visual AVS-Net. Table 3: what the paper lacks, above all whether the echo is heard at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from avsnet.errors import OptionError
from avsnet.evaluation.trials import Scaling, System, Trial
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.models.registry import model_info
from avsnet.reproduce.paper import FAMILIES, TABLE_1, TABLE_2, Numbers
from avsnet.scale.reference import default_method
from avsnet.scale.rules import METHODS
from avsnet.scale.sources import sources_of_tables
from avsnet.weights import find_weights

LEFT_OUT = "V2-left-out"
"""Data of the rows whose locations no training has seen; the official parts of V2 share theirs."""

CONTROL = "another image's echo"
"""What the row is called whose echo says nothing of its scene."""

FINER, FINER_V, FINER_HEARD = "finer", "finer, V", "finer, then ear"
"""Rows of the map bent towards the audio-visual network's, the visual one's, and the former at the ear's scale."""

_FINER = "shrunk_grid"  # the rule that docs/finer.md chose

AUTO = "auto"
"""What the row is called whose metres are those that `predict` finds with an echo."""

AUTO_CONTROL = f"{AUTO}, {CONTROL}"

_OVER_SEEDS = ("Baseline", "Proposed", CONTROL)  # rows of Table 2 that are run with every training run's metres
_WEIGHT_FILES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
_OWN = Scaling()  # a model's own metres
_TAGS = {
    "shuffled": "trained on shuffled echoes",
    "tokens": "tokens fusion",
    "decoder": "echo for the decoder too",
}  # how the audio-visual network was trained in other ways: <av>_<tag>


@dataclass(frozen=True)
class Line:
    """One row of a table.

    Attributes:
        table: 1, 2 or 3.
        block: rows of one block are compared with each other.
        method: the system, as the paper calls it.
        variant: what it hears, or how it is scaled.
        data: "V1", "V2" or `LEFT_OUT`, what it is tested on.
        trial: what to run; None where that is impossible.
        missing: why there is no trial, and what to fetch.
        paper: the numbers printed there.
        subset: of the images that count; "all".
        family: of Table 2.
        seeds: the same with weights of further training runs.
        over_runs: whether its scores are, image by image, the means over all training runs, and not those of the first.
    """

    table: int
    block: str
    method: str
    variant: str
    data: str
    trial: Trial | None
    missing: str = ""
    paper: Numbers | None = None
    subset: str = "all"
    family: str = ""
    seeds: tuple[Trial, ...] = ()
    over_runs: bool = False

    @property
    def runs(self) -> list[Line]:
        """The line by itself with the weights of each training run."""
        trials = [trial for trial in (self.trial, *self.seeds) if trial is not None]
        return [replace(self, trial=trial, seeds=(), over_runs=False) for trial in trials]


@dataclass(frozen=True)
class Cast:
    """Which systems play which part, and where their weights are.

    Attributes:
        av: registry name of the audio-visual AVS-Net.
        v: of the visual-only one.
        weights: folder that is searched for `<name>` before the package and the cache; None: not.
        extra: further depth models, as `System.parse` reads them.
        grouped: whether the data has ambiguous and cued rooms.
    """

    av: str = packaged.AV
    v: str = packaged.V
    weights: Path | None = None
    extra: tuple[System, ...] = ()
    grouped: bool = False

    def system(self, name: str, echo: str = "true", tag: str = "") -> System | str:
        """The system of this name with its weights, or what to fetch where there are none.

        Args:
            name: in the registry.
            echo: one of `trials.ECHOES`.
            tag: of weights that were trained in another way: `<name>_<tag>` in the folder.
        """
        wanted = f"{name}_{tag}" if tag else name
        if self.weights is not None:
            for path in (self.weights / wanted, *sorted(self.weights.glob(f"{wanted}.*"))):
                if path.exists():
                    return System(name, str(_only_file(path)), echo)
        if not tag and find_weights(name):
            return System(name, echo=echo)
        if tag:
            return f"not run: needs weights {wanted} in --weights; see docs/reproduce.md for their training"
        return f"not run: {fetch(model_info(name))}"

    def runs(self, name: str, echo: str = "true", tag: str = "") -> list[System]:
        """The same system with weights of further training runs, `<name>_seed<N>` or `<name>_<tag>_seed<N>` there."""
        if self.weights is None:
            return []
        found = sorted(self.weights.glob(f"{name}{tag and '_'}{tag}_seed[0-9]*"))
        return [System(name, str(path), echo) for path in found]


def _only_file(path: Path) -> Path:
    """A folder's one file, under whatever name it was published; else the folder, which loaders know, or the file."""
    if not path.is_dir() or (path / "config.json").exists():
        return path
    files = [file for file in path.iterdir() if file.suffix in _WEIGHT_FILES]
    return files[0] if len(files) == 1 else path


def weight_names(cast: Cast) -> list[str]:
    """Every name, with its tag, under which the rows look for weights."""
    names = [cast.av, cast.v, *(f"{cast.av}_{tag}" for tag in _TAGS), f"{cast.av}_left_out", f"{cast.v}_left_out"]
    names += ["bitd", "batvision_unet_256", *(name for models in FAMILIES.values() for _, name in models)]
    return names + [Path(system.weights).name for system in cast.extra if system.weights != "default"]


def check_cast(cast: Cast) -> None:
    """Refuse systems that cannot play their part, before anything is trained or made for them.

    Raises:
        OptionError: the pair is no pair of AVS-Nets.
        ModelError: no such model.
    """
    for flag, name, ending in (("--av", cast.av, "_av"), ("--v", cast.v, "_v")):
        model_info(name)
        if not (name.startswith("avsnet_") and name.endswith(ending)):
            raise OptionError(f"{flag} is {name!r}, but must be an AVS-Net of `avsnet models` that ends in {ending}")
    for system in cast.extra:
        model_info(system.name)


def fetch(info: ModelInfo) -> str:
    """What to fetch for a model, where from and under which licence."""
    if not info.published:
        return f"no weights of {info.name} are published; train them (avsnet train), or --train"
    return f"needs weights of {info.name}: {info.published} ({info.weights_licence})"


def plan(cast: Cast, data: Sequence[str]) -> list[Line]:
    """Every row of the three tables, for the data sets that there are.

    Args:
        cast: the systems.
        data: of "V1", "V2" and `LEFT_OUT`.

    Returns:
        The rows in their order.
    """
    lines = [line for line in (*_table_1(cast), *_table_2(cast), *_table_3(cast)) if line.data in data]
    return lines


def _table_1(cast: Cast) -> list[Line]:
    names = {("BITD", "AV"): "bitd", ("AVS-Net", "V"): cast.v, ("AVS-Net", "AV"): cast.av}
    rows = [("V2", "BITD", "AV"), ("V2", "AVS-Net", "V"), ("V2", "AVS-Net", "AV")]
    rows += [("V1", "BITD", "AV"), ("V1", "AVS-Net", "V"), ("V1", "AVS-Net", "AV")]
    lines = []
    for tested, method, heard in rows:
        name = names[method, heard]
        line = Line(1, f"V2 -> {tested}", method, heard, tested, None, paper=TABLE_1.get((tested, method, heard)))
        line = replace(line, seeds=tuple(map(Trial, cast.runs(name))))
        lines.append(_cast(line, cast.system(name)))
    return lines


def _table_2(cast: Cast) -> list[Line]:
    lines = []
    for family, models in FAMILIES.items():
        for method, name in models:
            lines += _scaled(cast, family, method, cast.system(name), model_info(name).output)
    for system in cast.extra:
        lines += _scaled(cast, "named by the user", system.label, system, model_info(system.name).output)
    return lines


def _scaled(cast: Cast, family: str, method: str, system: System | str, output: str) -> list[Line]:
    """One model under every scaling: the paper's three, what hears, what `predict` does, the finer rule, the oracle."""
    open_shift = output.startswith("affine")
    rule = default_method(output)
    rows = [] if open_shift else [("w/o", "none", "")]
    rows += [("Baseline", rule, cast.v), ("Proposed", rule, cast.av), (CONTROL, rule, cast.av)]
    if not open_shift:
        rows += [(name, name, "") for name in sources_of_tables()]
        rows += [(AUTO, "auto", cast.av), (AUTO_CONTROL, "auto", cast.av)]
        rows += [(FINER_V, _FINER, cast.v), (FINER, _FINER, cast.av), (FINER_HEARD, _FINER, cast.av)]
    lines = []
    for variant, name, reference in [*rows, ("oracle", f"oracle_{rule}", "")]:
        line = Line(2, method, method, variant, "V1", None, paper=TABLE_2.get((method, variant)), family=family)
        echo = "shuffled" if variant in (CONTROL, AUTO_CONTROL) else "true"
        metres = cast.system(reference, echo) if reference else None
        if isinstance(metres, str):
            lines.append(replace(line, missing=metres))
        else:
            scaling = Scaling(name, metres, echo if name == "auto" else "true", ear=variant == FINER_HEARD)
            line = _cast(line, system, scaling)
            if line.trial and variant in _OVER_SEEDS:
                runs = cast.runs(reference, echo)
                line = replace(line, seeds=tuple(Trial(line.trial.system, replace(scaling, reference=r)) for r in runs))
            lines.append(line)
    return lines


def _table_3(cast: Cast) -> list[Line]:
    lines = []
    for tested in ("V2", "V1"):
        block = f"V2 -> {tested}"
        rows: list[tuple[str, str, System | str, Scaling]] = [
            ("AVS-Net", "own echo", cast.system(cast.av), _OWN),
            ("AVS-Net", CONTROL, cast.system(cast.av, "shuffled"), _OWN),
            ("AVS-Net", "silence", cast.system(cast.av, "silent"), _OWN),
            ("AVS-Net", "echo 5 ms late", cast.system(cast.av, "late"), _OWN),
            ("AVS-Net", "direct sound not aligned", cast.system(cast.av, "unaligned"), _OWN),
            *(("AVS-Net", what, cast.system(cast.av, tag=tag), _OWN) for tag, what in _TAGS.items()),
            *(("AVS-Net V", f"scaled by {name}", cast.system(cast.v), Scaling(name)) for name in sources_of_tables()),
            ("AVS-Net V", "scaled by the truth (oracle)", cast.system(cast.v), Scaling("oracle_median")),
            ("BatVision U-Net", "echo alone", cast.system("batvision_unet_256"), _OWN),
        ]
        for method, heard, system, scaling in rows:
            lines.append(_with_runs(cast, _cast(Line(3, block, method, heard, tested, None), system, scaling)))
        for group in ("ambiguous", "cued") if cast.grouped else ():
            for heard, name in (("V", cast.v), ("AV", cast.av)):
                line = Line(3, f"{block}, {group} rooms", "AVS-Net", heard, tested, None, subset=group)
                lines.append(_with_runs(cast, _cast(line, cast.system(name))))
    for heard, name in (("V", cast.v), ("AV", cast.av)):
        line = Line(3, "V2, locations left out in training", "AVS-Net", heard, LEFT_OUT, None)
        lines.append(_cast(line, cast.system(name, tag="left_out")))
    return lines


def _with_runs(cast: Cast, line: Line) -> Line:
    """A row of AVS-Net with its further training runs, where the question is what the echo, or a true scale, gives."""
    if line.trial is None or not line.method.startswith("AVS-Net"):
        return line
    system, scaling = line.trial.system, line.trial.scaling
    if system.echo not in ("true", "shuffled") or scaling.rule not in ("none", "oracle_median"):
        return line
    tag = next((tag for tag, what in _TAGS.items() if what == line.variant), "")
    return replace(line, seeds=tuple(Trial(run, scaling) for run in cast.runs(system.name, system.echo, tag)))


def _cast(line: Line, system: System | str, scaling: Scaling = _OWN) -> Line:
    """The line with its trial, or with what it misses."""
    if isinstance(system, str):
        return replace(line, missing=system)
    assert scaling.reference is None or scaling.rule in (*METHODS, AUTO)
    return replace(line, trial=Trial(system, scaling))
