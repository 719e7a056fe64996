"""The half-real benchmark: real pictures with true metric depth, synthetic echoes made from that depth.

    python benchmarks/half_real.py ../shared --out results/half_real

Three public RGB-D sets: HoloLens (94 frames of one building), TUM (15, Kinect), DIODE (1, laser). The echo of each
picture is made by `avsnet.rooms.echo_of_depth` with one rig a set; models are two foreign ones with published weights:
FastDepth (trained on NYU, metric) and PyDNet (trained on KITTI, relative). Rows: their own metres, the best constant
factor (which looks at the truth), scaled by ranging, by AVS-Net V and AV, and by the true median. Depth counts up to
10 m. One building and one desk: this shows what happens on real pictures, with echoes that are not.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.rig import Rig
from avsnet.data.named import open_data
from avsnet.depth_files import read_depth
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.kept_maps import MapCache
from avsnet.evaluation.run import evaluate
from avsnet.evaluation.scores import table
from avsnet.evaluation.trials import Scaling, System, every_pair
from avsnet.geometry import intrinsics_from_fov
from avsnet.metrics import depth_metrics
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.scale.rules import as_depth

CAP = 10.0
SCALINGS = ("none", "ranging", "median:avsnet_tiny_v", "median:avsnet_tiny_av", "oracle_median")
RIG_SEED = {"hololens": 1, "tum": 2, "diode": 3}


def frames_of(real: Path, name: str) -> list[tuple[str, Path, np.ndarray, np.ndarray]]:
    """Name, picture, depth (H, W) in metres with 0 = unknown, and intrinsics of every frame of a set."""
    if name == "hololens":
        root = real / "hololens_rgbd"
        matrix = np.loadtxt(root / "K.txt").reshape(3, 3)
        return [
            (path.stem, path, read_depth(root / "depth" / path.name), matrix)
            for path in sorted((root / "images").glob("*.png"))
        ]
    if name == "tum":
        root = real / "tum_rgbd"
        matrix = np.array([[525.0, 0.0, 319.5], [0.0, 525.0, 239.5], [0.0, 0.0, 1.0]])  # the benchmark's default
        with (root / "pairs.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [
            (
                f"{row['sequence']}_{Path(row['rgb']).stem}",
                root / row["sequence"] / "rgb" / row["rgb"],
                read_depth(root / row["sequence"] / "depth" / row["depth"], 5000.0),
                matrix,
            )
            for row in rows
        ]
    root = real / "diode_indoor"
    stem = "00019_00183_indoors_150_000"
    depth = np.load(root / f"{stem}_depth.npy")[..., 0] * (np.load(root / f"{stem}_depth_mask.npy") > 0)
    return [(stem, root / f"{stem}.png", depth.astype(np.float32), intrinsics_from_fov(1024, 768, 60.0))]


def make_captures(real: Path, name: str, folder: Path) -> Path:
    """Write a set as a folder of captures, those that are not there yet."""
    root = folder / name
    root.mkdir(parents=True, exist_ok=True)
    rig = rig_for(RIG_SEED[name])
    rig.geometry.to_json(root / "rig.json")
    for number, (stem, picture, depth, matrix) in enumerate(tqdm(frames_of(real, name), desc=name, disable=None)):
        if (root / f"{stem}.wav").exists():
            continue
        height, width = depth.shape
        camera = {"width": width, "height": height, "fx": matrix[0, 0], "fy": matrix[1, 1]}
        camera |= {"cx": matrix[0, 2], "cy": matrix[1, 2]}
        (root / f"{stem}_intrinsics.json").write_text(json.dumps(camera))
        np.save(root / f"{stem}_depth.npy", depth.astype(np.float32))
        with Image.open(picture) as image:
            image.convert("RGB").save(root / f"{stem}.png")
        made = echo_of_depth(np.where(depth <= CAP, depth, 0.0), matrix, rig, seed=[RIG_SEED[name], number])
        soundfile.write(root / f"{stem}.wav", made.waveform.T, SAMPLE_RATE, subtype="PCM_24")
    return root


def best_factor(cases: Cases, system: System, out: Path) -> tuple[float, float]:
    """The one factor for all images at which the mean abs_rel is least, and that abs_rel."""
    cache = MapCache(out / "predictions", system, cases)
    pairs = []
    for index in range(len(cases)):
        case = cases[index]
        depth = as_depth(cache.at_picture_size(case, index), cache.info.output)
        if case.valid.any():
            pairs.append((depth[case.valid], case.depth[case.valid]))
    factors = np.exp(np.linspace(np.log(0.2), np.log(5.0), 161))

    def mean(factor: float) -> float:
        return float(
            np.mean([depth_metrics(d * factor, t, np.ones(len(t), bool), maximum=CAP)["abs_rel"] for d, t in pairs])
        )

    coarse = factors[int(np.argmin([mean(factor) for factor in factors]))]
    fine = coarse * np.exp(np.linspace(-0.02, 0.02, 17))
    scores = [mean(factor) for factor in fine]
    return float(fine[int(np.argmin(scores))]), min(scores)


def main() -> None:
    """Make the echoes, judge every row, write scores and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds real/")
    parser.add_argument("--captures", type=Path, default=Path("runs/half_real"), help="where pictures and echoes go")
    parser.add_argument("--out", type=Path, default=Path("runs/half_real_scores"))
    parser.add_argument("--sets", default="hololens,tum,diode")
    options = parser.parse_args()
    real = options.shared / "real"
    foreign = [
        System(f"onnx:{real / 'fastdepth_nyu' / 'fast_depth_224_dequant.onnx'}"),
        System(f"onnx:{real / 'pydnet_mobile_kitti' / 'mobile_pydnet_pruned35.onnx'}"),
    ]
    scalings = [Scaling.parse(text) for text in SCALINGS]
    for name in options.sets.split(","):
        root = make_captures(real, name, options.captures)
        opened = open_data(root, cap=CAP)
        cases = Cases(opened.data, f"half_real:{name}", CAP)
        trials = every_pair(foreign, scalings) + every_pair(
            [System("avsnet_tiny_v"), System("avsnet_tiny_av")], [Scaling("none")]
        )
        scores = evaluate(trials, cases, options.captures / f"{name}_scores", rig=Rig.from_json(root / "rig.json"))
        scores.write(options.out / name)
        print(f"\n{name}: {len(cases)} images")
        print(table(scores.rows))
        factor, score = best_factor(cases, foreign[0], options.captures / f"{name}_scores")
        print(f"{foreign[0].label}: best constant factor {factor:.3f} (looks at the truth): abs_rel {score:.3f}")


if __name__ == "__main__":
    main()
