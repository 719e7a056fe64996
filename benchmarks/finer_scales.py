"""What rules finer than one scale are worth: ceilings from the truth, and what they reach without it.

    python benchmarks/finer_scales.py ../shared --out results/finer

Half real: true pictures and depth, made echoes, each frame with a rig of its own, as in `avsnet evaluate --half-real`.
HoloLens (94 frames of one building) is the development set; NYU's validation frames and the rooms are what rules were
chosen on; NYU's test split (every fourth), TUM and DIODE only test. Writes means to <out>/<set>.csv and the gain over
one scale in each metre of true depth (AIDE) to <out>/<set>_aide.csv. Echoes and maps are kept in --work: with other
weights of the ear the second run takes no prediction again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from pathlib import Path

import numpy as np

from avsnet.analysis import aide_of_intervals
from avsnet.data.reading import Reading
from avsnet.data.registry import open_data
from avsnet.errors import DepthError
from avsnet.evaluation.half_real import HalfRealCases
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.scores import Row, Scores, table
from avsnet.evaluation.trials import Scaling, System, every_pair
from avsnet.models import packaged
from shared_data import require

SETS = {
    "hololens": ("hololens_rgbd", "test", 1),
    "tum": ("tum_rgbd", "test", 1),
    "diode": ("diode_indoor", "test", 1),
    "nyu_val": ("nyu_labelled", "val", 1),
    "nyu_test": ("nyu_labelled", "test", 4),
    "offices": ("rooms:offices:101000-101039", "val", 1),
    "historic": ("rooms:historic:101000-101039", "val", 1),
}
BOUNDS = ("median", "weighted_median", "log_affine", "histogram", "grid_2x2", "grid_4x4")
RULES = ("log_affine", "histogram", "grid", "shrunk_grid")
ONE = "median"  # what the gain is measured against


def scalings(quick: bool) -> list[Scaling]:
    """Every rule: bounds by the truth, from an AVS-Net alone, with the ear, and with another scene's echo."""
    av = packaged.AV
    found = ["none", "ear", "ear@shuffled", f"median:{av}"]
    found += [] if quick else [f"oracle_{name}" for name in BOUNDS]
    for rule in RULES[-1:] if quick else RULES:
        found += [f"{rule}:{av}", f"{rule}:{av}+ear", f"{rule}:{av}@shuffled+ear"]
    return [Scaling.parse(text) for text in found]


def cases_of(name: str, real: Path, work: Path) -> Cases:
    """The frames of a set, with their echoes."""
    where, split, _ = SETS[name]
    if where.startswith("rooms"):
        opened = open_data(where, Reading(split, size=(192, 256), cache=work / "rooms"))
        return Cases(opened.data, name, opened.cap)
    return HalfRealCases(f"rgbd:{real / where}", split, cache=work / "echoes")


def depth_models(real: Path, work: Path) -> list[System]:
    """FastDepth, whose side file says at which focal length it was trained, and PyDNet."""
    folder = work / "models"
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for path in (
        real / "fastdepth_nyu" / "fast_depth_224_dequant.onnx",
        real / "pydnet_mobile_kitti" / "mobile_pydnet_pruned35.onnx",
    ):
        for one in (path, path.with_suffix(".json")):
            shutil.copyfile(one, folder / one.name)
        found.append(System(f"onnx:{folder / path.name}"))
    side = folder / "fast_depth_224_dequant.json"
    side.write_text(json.dumps(json.loads(side.read_text()) | {"focal": 0.889}))
    return found


def aide_rows(intervals: list[Row], system: str) -> list[dict[str, object]]:
    """Error by one scale minus error by each rule, in each metre of true depth; positive: the rule helps."""
    tables: dict[str, dict[str, dict[int, float]]] = {}
    for row in intervals:
        if row["system"] == system:
            of_image = tables.setdefault(row["scaling"], {}).setdefault(row["id"], {})
            of_image[int(row["metre"])] = float(row["mae"])
    rows: list[dict[str, object]] = []
    for scaling in sorted(tables):
        ear = scaling.endswith("+ear")
        against = "ear" if ear else f"{ONE}:{packaged.AV}" if ":" in scaling else f"oracle_{ONE}"
        if scaling == against or against not in tables or "@" in scaling:
            continue
        both = sorted(tables[scaling].keys() & tables[against].keys())
        length = 1 + max(metre for name in both for metre in tables[against][name])
        errors = [[_line(tables[which][name], length) for name in both] for which in (against, scaling)]
        try:
            found = aide_of_intervals(*errors)
        except DepthError:
            continue
        for metre, (gain, images) in enumerate(zip(found.mean, found.images, strict=True)):
            if images:
                keys = {"system": system, "scaling": scaling, "against": against, "metre": metre}
                rows.append(keys | {"gain": round(float(gain), 4), "images": int(images)})
    return rows


def _line(errors: dict[int, float], length: int) -> np.ndarray:
    line = np.full(length, np.nan)
    line[list(errors)] = list(errors.values())
    return line


def main() -> None:
    """Evaluate the sets, write the means, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--work", type=Path, default=Path("runs/finer"), help="where echoes, maps and rows go")
    parser.add_argument("--out", type=Path, default=Path("runs/finer_scores"))
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--quick", action="store_true", help="the chosen rule alone, without the bounds")
    options = parser.parse_args()
    require(options.shared, [f"real/{name}" for name in ("hololens_rgbd", "tum_rgbd", "fastdepth_nyu", "nyu_labelled")])
    real = options.shared / "real"
    options.out.mkdir(parents=True, exist_ok=True)
    systems = depth_models(real, options.work)
    for name in options.sets.split(","):
        cases, step = cases_of(name, real, options.work), SETS[name][2]
        folder = options.work / name
        rules = [one for one in scalings(options.quick) if len(cases) > 1 or one.echo != "shuffled"]
        scores = evaluate(every_pair(systems, rules), cases, folder, shard=(1, step))
        whole = Scores(scores.header, scores.rows, scores.intervals)
        whole.write(folder)
        shutil.copyfile(folder / "summary.csv", options.out / f"{name}.csv")
        rows = [row for system in systems for row in aide_rows(scores.intervals, system.label)]
        if rows:
            with (options.out / f"{name}_aide.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        print(f"\n{name}\n{table(scores.rows)}", flush=True)


if __name__ == "__main__":
    main()
