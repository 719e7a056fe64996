"""What a relative network has learned from moving frames alone, next to a constant map and itself before training.

    avsnet train configs/twin_lite_mono.yaml          # and twin_monodepth2, twin_monovit
    python benchmarks/self_supervised.py lite_mono=runs/twin_lite_mono --out results/self_supervised

Evaluated on pictures of unseen simulated offices, 96 x 128 as in training, after the median of each map was made the
true one (the convention of that literature; nobody without the truth gets metres so). `table.csv` has the seven
metrics, `curves.csv` what the runs logged, `curves.png` draws it: the photometric loss, and the error in validation.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from avsnet.data.loading import SampleLoader
from avsnet.evaluation.protocol import validate
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import PAPER_METRICS
from avsnet.models import ModelInfo, create_model
from avsnet.rooms.dataset import Rooms
from avsnet.train.config_file import read_config
from avsnet.viz import save_figure

SIZE, FIRST_SEED = (96, 128), 900_000
CURVES = ("run", "batch_size", "step", "loss", "abs_rel")


class Constant(nn.Module):
    """The same depth everywhere."""

    info = ModelInfo("constant", "disparity", "Apache-2.0", "none", "this benchmark")

    def forward(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Of every picture."""
        return {"disparity": torch.ones_like(batch["depth"])}


def scores_of(network: nn.Module, pictures: list[dict[str, Any]], cap: float) -> dict[str, float]:
    """The metrics, means over pictures."""
    found = validate(network, SampleLoader(pictures, 16), cap=cap, scaling="oracle_median").compute()  # type: ignore[arg-type]
    return {name: round(found[name], 4) for name in PAPER_METRICS}


def curves(name: str, run: Path) -> list[dict[str, Any]]:
    """What the run logged of its loss and its validation."""
    batch_size = read_config(run / "config.yaml").data.batch_size
    rows = []
    for file, column in (("metrics.csv", "loss"), ("validation.csv", "abs_rel")):
        with (run / file).open(newline="", encoding="utf-8") as lines:
            for line in csv.DictReader(lines):
                entry = dict.fromkeys(CURVES, "") | {"run": name, "batch_size": batch_size}
                rows.append(entry | {"step": line["step"], column: f"{float(line[column]):.5g}"})
    return rows


def draw(rows: list[dict[str, Any]], constant: float, path: Path) -> None:
    """Loss and error over the triplets that were seen."""
    figure = Figure(figsize=(9.0, 3.4), dpi=110, layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, column, title in zip(
        panels, ("loss", "abs_rel"), ("photometric loss", "Abs Rel in validation, medians made true"), strict=True
    ):
        for name in dict.fromkeys(row["run"] for row in rows):
            mine = [row for row in rows if row["run"] == name and row[column]]
            seen = [int(row["step"]) * int(row["batch_size"]) / 1000 for row in mine]
            panel.plot(
                seen, [float(row[column]) for row in mine], marker="." if column == "abs_rel" else "", label=name
            )
        panel.set_xlabel("triplets seen, thousands")
        panel.set_title(title, fontsize=10)
        panel.grid(alpha=0.3)
    panels[1].axhline(constant, color="grey", linestyle="--", label="a constant map, test rooms")
    panels[1].set_ylim(bottom=0.0)
    panels[1].legend(fontsize=8)
    save_figure(path, figure)


def main() -> None:
    """Evaluate, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="NAME=FOLDER of a training run")
    parser.add_argument("--rooms", type=int, default=200, help="to evaluate on")
    parser.add_argument("--out", type=Path, help="folder for tables and curves")
    options = parser.parse_args()
    rooms = Rooms("offices", range(FIRST_SEED, FIRST_SEED + options.rooms), size=SIZE, axis=None, oversample=2)
    pictures = [rooms[place] for place in range(len(rooms))]
    constant = scores_of(Constant(), pictures, rooms.cap)
    table: list[dict[str, Any]] = [{"network": "a constant map", "training": "none"} | constant]
    logged = []
    for text in options.runs:
        name, _, folder = text.partition("=")
        for training, network in (
            ("none", create_model(name, input_size=SIZE)),
            ("frames alone", create_model(name, weights=Path(folder, "model"))),
        ):
            table.append({"network": name, "training": training} | scores_of(network, pictures, rooms.cap))
        logged += curves(name, Path(folder))
    heads = "".join(f"{name:>10}" for name in PAPER_METRICS)
    print(f"{'network':16}{'training':14}{heads}   of the constant's Abs Rel")
    for row in table:
        share = row["abs_rel"] / constant["abs_rel"] - 1.0
        numbers = "".join(f"{row[name]:10.4f}" for name in PAPER_METRICS)
        print(f"{row['network']:16}{row['training']:14}{numbers}{share:+9.0%}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        for file, rows in (("table.csv", table), ("curves.csv", logged)):
            with atomic_path(options.out / file) as path, path.open("w", newline="", encoding="utf-8") as lines:
                writer = csv.DictWriter(lines, rows[0].keys(), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        draw(logged, constant["abs_rel"], options.out / "curves.png")


if __name__ == "__main__":
    main()
