"""What is written next to a run: its settings and surroundings, and the card of the weights that come out of it."""

from __future__ import annotations

import datetime
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from avsnet.metrics import PAPER_METRICS
from avsnet.train.config import TrainConfig

_LIBRARIES = (
    "avsnet",
    "torch",
    "torchvision",
    "lightning",
    "numpy",
    "scipy",
    "timm",
    "transformers",
    "soxr",
    "embreex",
)


def environment(config: TrainConfig, command: str) -> str:
    """What a run depends on besides its settings: command, seed, git state, versions, machine."""
    lines = [
        f"date: {datetime.datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"command: {command}",
        f"seed: {config.seed}",
        f"git: {git_state()}",
        f"python: {platform.python_version()}",
        *(f"{name}: {_version(name)}" for name in _LIBRARIES),
        f"machine: {platform.platform()}",
        f"device: {device_of(config)}",
    ]
    return "\n".join(lines) + "\n"


def git_state() -> str:
    """The commit of the code, and how many files differ from it."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        changed = len(_git(here, "status", "--porcelain").splitlines())
    except (OSError, subprocess.CalledProcessError):
        return "no git checkout"
    return f"{commit}, {changed} files changed" if changed else commit


def model_card(
    config: TrainConfig,
    *,
    command: str,
    rows: int,
    steps: int,
    best_step: int,
    seconds: float,
    parameters: int,
    scores: dict[str, dict[str, Any]],
) -> str:
    """The card of trained weights.

    Args:
        config: of the run.
        command: that trained them.
        rows: that were trained on.
        steps: of the run.
        best_step: whose weights these are.
        seconds: that training took.
        parameters: number of weights.
        scores: source -> row of `validation.csv`, of these weights.

    Returns:
        Markdown with the front matter that model hubs read.
    """
    starts = _starts(config)
    parts = [
        _front_matter(config, starts),
        f"# {config.model.name}",
        f"{parameters:,} parameters, trained by avsnet {_version('avsnet')} ({git_state()}).",
        "## Training",
        _training(config, starts, command, rows, steps, best_step, seconds),
        "## Scores",
        _scores(config, scores),
        "## Limits",
        "\n".join(f"- {limit}" for limit in _limits(config)),
        "## Licences",
        _licences(config, starts),
    ]
    return "\n\n".join(parts) + "\n"


def _relative(config: TrainConfig) -> bool:
    """Whether the network learns without depth, hence gives depth in no known unit."""
    return config.loss == "photometric"


def _simulated(config: TrainConfig) -> bool:
    """Whether every source is simulated rooms."""
    return all(source.startswith("rooms:") for source in _sources(config))


def _sources(config: TrainConfig) -> list[str]:
    """Each source once, without the word that its echoes are made."""
    return list(dict.fromkeys(source.removeprefix("half_real:") for source in (*config.data.train, *config.data.val)))


def _starts(config: TrainConfig) -> list[str]:
    """Weights that training started from, which keep their licence."""
    given = [config.model.weights, config.model.options.get("imagenet")]
    given += [config.photometric.pose_weights, config.photometric.pose_imagenet] if _relative(config) else []
    return [str(start) for start in given if start is not None]


def _front_matter(config: TrainConfig, starts: list[str]) -> str:
    """What model hubs read; a licence only where nothing that was learned from has another one."""
    lines = ["---", "library_name: avsnet", "pipeline_tag: depth-estimation"]
    lines += ["license: apache-2.0"] if _simulated(config) and not starts else []
    return "\n".join([*lines, "---"])


def _training(
    config: TrainConfig, starts: list[str], command: str, rows: int, steps: int, best_step: int, seconds: float
) -> str:
    data, optimiser = config.data, config.optimiser
    lines = [
        f"- command: `{command}`",
        f"- seed: {config.seed}",
        f"- data: {', '.join(data.train)}, {rows} samples at {data.size[0]} x {data.size[1]} pixels",
        f"- started from: {', '.join(starts) or 'fresh weights'}",
        f"- {steps} steps of {data.batch_size} samples, loss {config.loss}, {optimiser.name}, largest rate "
        f"{optimiser.lr:g}; the weights are those of step {best_step}",
        f"- duration: {seconds / 60.0:.1f} minutes on {device_of(config)}",
        "- all settings: `config.yaml` of the run",
    ]
    return "\n".join(lines)


def _scores(config: TrainConfig, scores: dict[str, dict[str, Any]]) -> str:
    """The table of the metrics, under what they are of."""
    if not scores:
        return "Not validated in training."
    protocol = "Mean over images; predictions at the size of the target; validation rows"
    if _relative(config):
        protocol += (
            ". Each map's median was made that of the true depth first (oracle_median): nobody who lacks the truth "
            "gets metres so."
        )
    else:
        protocol += ", by which these weights were chosen."
    table = [f"| data | images | {' | '.join(PAPER_METRICS)} |", f"|---|---|{'---|' * len(PAPER_METRICS)}"]
    for source, row in scores.items():
        numbers = " | ".join(f"{row[name]:.3f}" for name in PAPER_METRICS)
        table.append(f"| {source} | {row['images']} | {numbers} |")
    return "\n".join([protocol, "", *table])


def _limits(config: TrainConfig) -> list[str]:
    """What a reader must not expect of the weights."""
    if _relative(config):
        limits = [
            "Relative depth, in a unit of its own for every picture: `avsnet scale` brings it to metres by an echo or "
            "by another model.",
            "Learned from how a moving camera's pictures explain each other: what moves by itself, shines or has no "
            "texture may be wrong.",
        ]
    else:
        limits = [
            "Metric depth of places like those it was trained on; elsewhere its metres are not to be trusted unseen.",
            "Echoes must come from a rig like that of the training data, with its chirp, at 44.1 kHz."
            if config.data.hears
            else "It sees only: its scale is a guess from what the training data looked like.",
        ]
    if _simulated(config):
        limits.append("Trained on simulated rooms only, never on a real recording.")
    if config.data.shuffle_echoes:
        limits.append("A control: it was trained and evaluated on the echoes of other places. Not for use.")
    return limits


def _licences(config: TrainConfig, starts: list[str]) -> str:
    licences = []
    if any(source.startswith("batvision") for source in _sources(config)):
        licences.append("BatVision is under CC BY-SA 4.0")
    others = [source for source in _sources(config) if not source.startswith(("batvision", "rooms:"))]
    if others:
        licences.append(f"{', '.join(others)}: data with terms of their own, not known here; look before you share")
    if starts:
        licences.append(f"the weights that training started from ({', '.join(starts)}) keep their licence")
    return ("; ".join(licences) or "Apache-2.0, as the code") + "."


def device_of(config: TrainConfig) -> str:
    """What a run was trained on."""
    import torch

    count = config.devices * config.nodes
    if torch.cuda.is_available() and config.accelerator != "cpu":
        return f"{count} x {torch.cuda.get_device_name()}"
    return f"{count} x {torch.get_num_threads()} CPU threads"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git(folder: Path, *words: str) -> str:
    # Without a lock: on a full disk git would die of it, and leave the repository locked.
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
