"""The card of a trained ear."""

from __future__ import annotations

from avsnet.train.card import device_of, git_state
from avsnet.train.config import TrainConfig

_SCORES = ("median", "mean", "below_0.2", "prior_median", "coverage", "auroc")
_NYU = (
    "NYU Depth V2 (Silberman et al., ECCV 2012), on whose depth it learned, states no licence; research use is "
    "customary."
)


def ear_card(config: TrainConfig, command: str, rows: int, steps: int, seconds: float, scores: dict[str, float]) -> str:
    """The card of the weights that `scale_from="ear"` listens with.

    Args:
        config: of the run.
        command: that trained them.
        rows: versions of maps that were trained on.
        steps: of the run.
        seconds: that training took, without making the data.
        scores: as `avsnet.train.ear.calibrate` returns them.

    Returns:
        Markdown.
    """
    data, optimiser = config.data, config.optimiser
    names = ["NYU Depth V2 (training split)" if source.startswith("nyu:") else source for source in data.train]
    real = any(source.startswith("nyu:") for source in data.train)
    models = ", ".join(name.rpartition("/")[2] for name in config.model.options.get("maps", ()))
    minutes = f"{seconds / 60:.0f} minutes on {device_of(config)}"
    parts = [
        "# ear: the scale of any depth map from an echo",
        f"Trained by `{command}` ({git_state()}).",
        "## Training",
        f"- seed: {config.seed}",
        f"- data: {', '.join(names)}; {rows} maps: true ones, bent as depth models bend them",
        *([f"- maps of real pictures also by {models}"] if real and models else []),
        "- echoes: simulated, of rigs drawn anew; one or two microphones, 22 to 48 kHz, the rig known or not",
        f"- {steps} steps of {data.batch_size} maps, {optimiser.name}, largest rate {optimiser.lr:g}, {minutes}",
        "## Scores",
        f"On {', '.join(data.val)}, never trained on, with maps bent as in training; these rows also set the sharpness",
        f"of its intervals ({scores['sharpness']:.2f}). Errors are of the logarithm of the posterior's median.",
        "",
        "| median | mean | below 0.2 | median by the map alone | in 90 % intervals | AUROC, own or another echo |",
        "|---|---|---|---|---|---|",
        f"| {' | '.join(f'{scores[name]:.3f}' for name in _SCORES)} |",
        "## Limits",
        f"- Never trained on a real recording{': echoes of real depth are made ones' if real else ''}.",
        "- The sweep is the default one, or known; the speaker sits 0.06 to 0.5 m from ears 8 to 25 cm apart.",
        "## Licences",
        "Apache-2.0, as the code." + (f" {_NYU}" if real else ""),
    ]
    return "\n".join(f"\n{part}\n" if part.startswith("##") else part for part in parts) + "\n"
