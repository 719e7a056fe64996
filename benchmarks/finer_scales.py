"""What rules finer than one scale are worth: ceilings from the truth, and what they reach without it.

    python benchmarks/finer_scales.py ../shared --out results/finer

Half real: true pictures and depth, made echoes, each frame with a rig of its own, as in `avsnet evaluate --half-real`.
HoloLens (94 frames of one building) is the development set; NYU's validation frames and the rooms are what rules were
chosen on; NYU's test split (every fourth), TUM and DIODE only test. Rooms see two more stand-ins for relative models:
the packaged network that only sees, and the truth, distorted as depth models err. Writes means to <out>/<set>.csv,
what the chosen rule gains, with intervals over groups, to <out>/<set>_gains.csv, and the gain over one scale in each
metre of true depth (AIDE) to <out>/<set>_aide.csv. Echoes and maps are kept in --work: with other weights of the ear
the second run takes no prediction again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from avsnet.analysis import aide_of_intervals
from avsnet.audio.recording import Heard
from avsnet.data.reading import Reading
from avsnet.data.registry import open_data
from avsnet.errors import DepthError
from avsnet.evaluation.comparisons import Key, by_key, interval, paired
from avsnet.evaluation.half_real import HalfRealCases
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.kept_maps import MapCache
from avsnet.evaluation.protocol import Truth
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.scores import Row, Scores, table
from avsnet.evaluation.trials import Scaling, System, every_pair
from avsnet.io.recordings import Recording
from avsnet.models import packaged
from avsnet.models.info import ModelInfo
from avsnet.scale.reference import network
from avsnet.scale.scene import Scene
from avsnet.scale.sources import everything
from avsnet.train.ear_distortion import DepthMap, distorted
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
CHOSEN = RULES[-1]
ONE = "median"  # what the gain is measured against
DISTORTED = ModelInfo("distorted_truth", "relative_depth", "Apache-2.0", "Apache-2.0", "avsnet.train.ear_distortion")


def scalings(quick: bool) -> list[Scaling]:
    """Every rule: bounds by the truth, from an AVS-Net alone, with the ear, and with another scene's echo."""
    av = packaged.AV
    found = ["none", "ear", "ear@shuffled", f"median:{av}"]
    found += [f"oracle_{name}" for name in (BOUNDS if not quick else ("median", "log_affine"))]
    found += [] if quick else ["log_affine:ear"]
    for rule in (CHOSEN,) if quick else RULES:
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


def distorted_rows(cases: Cases, folder: Path) -> list[Row]:
    """A true map with a depth model's errors, another in each room, by one factor and by the chosen rule."""
    seen = {
        echo: MapCache(folder / "predictions", System(packaged.AV, echo=echo), cases) for echo in ("true", "shuffled")
    }
    rows = []
    for index in range(len(cases)):
        case, rng = cases[index], np.random.default_rng([index, 17])
        assert case.intrinsics is not None
        depth = np.where(case.valid, case.depth, 0.0)
        bent = distorted(DepthMap(depth, depth, case.intrinsics), rng)
        metres = {echo: one.at_picture_size(case, index) for echo, one in seen.items()}
        for label, echo, source, method in (
            (f"median:{packaged.AV}", "true", network, None),
            ("ear", "true", everything, None),
            (f"{CHOSEN}:{packaged.AV}+ear", "true", everything, CHOSEN),
            (f"{CHOSEN}:{packaged.AV}@shuffled+ear", "shuffled", everything, CHOSEN),
        ):
            sound = cases.heard(case, index, echo)
            listen = Heard(Recording(sound["waveform"].numpy(), sound["sample_rate"]), case.rig).echo
            seen_so = {packaged.AV: metres[echo]}.__getitem__
            scene = Scene(bent.depth, DISTORTED, bent.intrinsics, listen, seen_so, method)
            error = Truth(case.depth, case.valid, cases.cap).errors(source(scene, packaged.AV).scaled.depth)[0]
            keys = {"data": cases.name, "system": DISTORTED.name, "scaling": label, "id": case.id, "group": case.group}
            rows.append(keys | {"abs_rel": f"{error['abs_rel']:.6g}"})
    return rows


def gain_rows(rows: list[Row]) -> list[Row]:
    """What the chosen rule gains in abs_rel over one factor, with the ear and without, and with its own echo."""
    heard, one = f"{CHOSEN}:{packaged.AV}+ear", f"{ONE}:{packaged.AV}"
    (tables,) = by_key(rows).values()
    found = []
    for system in dict.fromkeys(system for system, _ in tables):
        for ours, other in (
            (heard, "ear"),
            (heard, one),
            (f"{CHOSEN}:{packaged.AV}", one),
            (heard, f"{CHOSEN}:{packaged.AV}@shuffled+ear"),
            ("ear", "ear@shuffled"),
        ):
            values, groups = paired(tables, (system, ours), (system, other), "abs_rel")
            if values.size:
                gain = interval(values, groups)
                ends = (f"{gain.low:.4f}", f"{gain.high:.4f}") if gain.known else ("", "")
                line = {"system": system, "scaling": ours, "against": other, "images": str(len(values))}
                line |= {"groups": str(gain.groups), "abs_rel": f"{_mean(tables, (system, ours)):.4f}"}
                line |= {"difference": f"{gain.mean:.4f}", "low": ends[0], "high": ends[1]}
                found.append(line | {"of_the_gap": _share_of_gap(tables, system, ours)})
    return found


def _share_of_gap(tables: dict[Key, dict[str, Row]], system: str, scaling: str) -> str:
    """How much of the way from the true median to the true scale and contrast a scaling goes."""
    ends = [(system, "oracle_median"), (system, "oracle_log_affine")]
    if any(end not in tables for end in ends):
        return ""
    median, affine = (_mean(tables, end) for end in ends)
    return f"{(median - _mean(tables, (system, scaling))) / (median - affine):.2f}"


def _mean(tables: dict[Key, dict[str, Row]], key: Key) -> float:
    return float(np.mean([float(row["abs_rel"]) for row in tables[key].values() if row["abs_rel"]]))


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
    parser.add_argument("--quick", action="store_true", help="the chosen rule alone, with two bounds")
    options = parser.parse_args()
    require(options.shared, [f"real/{name}" for name in ("hololens_rgbd", "tum_rgbd", "fastdepth_nyu", "nyu_labelled")])
    real = options.shared / "real"
    options.out.mkdir(parents=True, exist_ok=True)
    systems = depth_models(real, options.work)
    for name in options.sets.split(","):
        cases, step = cases_of(name, real, options.work), SETS[name][2]
        rooms = SETS[name][0].startswith("rooms")
        shapes = [*systems, System(packaged.V)] if rooms else systems
        folder = options.work / name
        rules = [one for one in scalings(options.quick) if len(cases) > 1 or one.echo != "shuffled"]
        scores = evaluate(every_pair(shapes, rules), cases, folder, shard=(1, step))
        whole = Scores(scores.header, scores.rows, scores.intervals)
        whole.write(folder)
        shutil.copyfile(folder / "summary.csv", options.out / f"{name}.csv")
        _write(
            options.out / f"{name}_aide.csv", [row for one in shapes for row in aide_rows(scores.intervals, one.label)]
        )
        gains = gain_rows(scores.rows + (distorted_rows(cases, folder) if rooms else []))
        _write(options.out / f"{name}_gains.csv", gains)
        print(f"\n{name}\n{table(scores.rows)}", flush=True)
        for line in gains:
            print("  ".join(line.values()), flush=True)


def _write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
