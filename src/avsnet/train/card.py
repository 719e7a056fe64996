"""What is written beside a run: its settings and surroundings, and the card of the weights that come out of it."""

from __future__ import annotations

import datetime
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
SEVEN = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
"""The metrics of the paper's tables."""


def environment(config: TrainConfig, command: str) -> str:
    """What a run depends on beside its settings: command, seed, git state, versions, machine."""
    lines = [
        f"date: {datetime.datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"command: {command}",
        f"seed: {config.seed}",
        f"git: {git_state()}",
        f"python: {platform.python_version()}",
        *(f"{name}: {_version(name)}" for name in _LIBRARIES),
        f"machine: {platform.platform()}",
        f"device: {_device(config)}",
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
    data, licences, relative = config.data, [], config.loss == "photometric"
    given = [config.model.weights, config.model.options.get("imagenet")]
    given += [config.photometric.pose_weights, config.photometric.pose_imagenet] if relative else []
    starts = [str(start) for start in given if start is not None]
    sources = [*data.train, *data.val]
    if any(source.startswith("batvision") for source in sources):
        licences.append("BatVision is under CC BY-SA 4.0")
    if starts:
        licences.append(f"the weights that training started from ({', '.join(starts)}) keep their licence")
    simulated = all(source.startswith("rooms:") for source in sources)
    front = ["---", "library_name: avsnet", "pipeline_tag: depth-estimation"]
    front += ["license: apache-2.0"] if simulated and not starts else []
    table = [
        f"| data | images | {' | '.join(SEVEN)} |",
        f"|---|---|{'---|' * len(SEVEN)}",
        *(
            f"| {source} | {row['images']} | {' | '.join(f'{row[name]:.3f}' for name in SEVEN)} |"
            for source, row in scores.items()
        ),
    ]
    limits = [
        "Metric depth of places like those it was trained on; elsewhere its metres are not to be trusted unseen.",
        "Echoes must come from a rig like that of the training data, with its chirp, at 44.1 kHz.",
    ]
    if relative:
        limits = [
            "Relative depth, in a unit of its own for every picture: `avsnet scale` brings it to metres by an echo or "
            "by another model.",
            "Learned from how a moving camera's pictures explain each other: what moves by itself, shines or has no "
            "texture may be wrong.",
        ]
    elif not data.hears:
        limits[1] = "It sees only: its scale is a guess from what the training data looked like."
    if simulated:
        limits.append("Trained on simulated rooms only, never on a real recording.")
    if data.shuffle_echoes:
        limits.append("A control: it was trained and judged on the echoes of other places. Not for use.")
    judged = "Mean over images; predictions at the size of the target; validation rows"
    if relative:
        judged += (
            ". Each map's median was made that of the true depth first (oracle_median): nobody who lacks the truth "
            "gets metres so."
        )
    else:
        judged += ", by which these weights were chosen."
    parts = [
        "\n".join([*front, "---"]),
        f"# {config.model.name}",
        f"{parameters:,} parameters, trained by avsnet {_version('avsnet')} ({git_state()}).",
        "## Training",
        "\n".join(
            [
                f"- command: `{command}`",
                f"- seed: {config.seed}",
                f"- data: {', '.join(data.train)}, {rows} samples at {data.size[0]} x {data.size[1]} pixels",
                f"- started from: {', '.join(starts) or 'fresh weights'}",
                f"- {steps} steps of {data.batch_size} samples, loss {config.loss}, {config.optimiser.name}, largest "
                f"rate {config.optimiser.lr:g}; the weights are those of step {best_step}",
                f"- duration: {seconds / 60.0:.1f} minutes on {_device(config)}",
                "- all settings: `config.yaml` of the run",
            ]
        ),
        "## Scores",
        f"{judged}\n\n" + "\n".join(table) if scores else "Not validated in training.",
        "## Limits",
        "\n".join(f"- {limit}" for limit in limits),
        "## Licences",
        ("; ".join(licences) or "Apache-2.0, as the code") + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _device(config: TrainConfig) -> str:
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
    return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()
