"""The one real recording: how far from the truth are the metres that ranging finds? n = 1.

    python benchmarks/real_recording.py ../shared --out results/real_recording.csv

FastDepth (an indoor metric model) on the BatVision V2 sample: its own metres, two upper bounds that look at the truth,
the default field of view and rig, and the spread over fields of view 60 to 90 degrees and speaker distances 0 to 0.4 m.
abs_rel over the valid pixels (0 < truth <= 30 m) at 720 x 1280.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from avsnet.audio.recording import listen
from avsnet.audio.rig import Rig
from avsnet.geometry import ASSUMED_FOV, intrinsics_from_fov
from avsnet.io.recordings import read_wav
from avsnet.io.whole_files import atomic_path
from avsnet.metrics import depth_metrics, valid_depth
from avsnet.predict import predict
from avsnet.scale.ranging import posterior_from_echo
from shared_data import require

FIELDS = ("row", "fov_degrees", "speaker_to_ears_m", "scale", "abs_rel", "delta1", "confidence", "refused")


def main() -> None:
    """Print and write one row per way to the metres."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--out", type=Path, help="CSV")
    options = parser.parse_args()
    require(options.shared, ("batvision_v2_sample", "real/fastdepth_nyu"))
    sample = options.shared / "batvision_v2_sample"
    network = options.shared / "real" / "fastdepth_nyu" / "fast_depth_224_dequant.onnx"
    raw = predict(sample / "camera_47.jpeg", depth_model=f"onnx:{network}", scale_from="none")
    target, valid = valid_depth(np.load(sample / "depth_47.npy").astype(np.float64) / 1000.0, 30.0)
    recording = read_wav(sample / "audio_47.wav")
    height, width = raw.depth.shape
    rows: list[dict[str, object]] = []

    def add(row: str, depth: np.ndarray, **more: object) -> None:
        scores = depth_metrics(depth, target, valid)
        rows.append({"row": row, "abs_rel": f"{scores['abs_rel']:.3f}", "delta1": f"{scores['delta1']:.3f}"} | more)

    def ranged(row: str, fov: float, rig: Rig) -> None:
        camera = intrinsics_from_fov(width, height, fov)
        echo = listen(recording.waveform, recording.sample_rate, rig)
        found = posterior_from_echo(raw.depth, raw.valid, camera, echo, metric=True)
        reach = np.linalg.norm(np.mean(rig.ears, axis=0) - np.array(rig.speaker))
        add(
            row,
            raw.depth * found.posterior.scale,
            fov_degrees=f"{fov:g}",
            speaker_to_ears_m=f"{reach:.2f}",
            scale=f"{found.posterior.scale:.3f}",
            confidence=f"{found.posterior.confidence:.2f}",
            refused=int(found.ambiguous),
        )

    median = float(np.median(target[valid]))
    add("the model's own metres", raw.depth, scale="1")
    add("true median (oracle)", raw.depth * median / float(np.median(raw.depth[valid])))
    add("constant map at the true median (oracle)", np.full_like(raw.depth, median))
    ranged("ranging, default field of view and rig", ASSUMED_FOV, Rig())
    for fov in (60, 65, 70, 75, 80, 85, 90):
        for reach in (0.0, 0.1, 0.2, 0.3, 0.4):
            ranged("ranging, spread", fov, Rig().with_speaker_distance(reach))

    print(f"{'row':42s} {'fov':>4s} {'reach':>6s} {'scale':>6s} {'abs_rel':>8s} {'delta1':>7s} {'conf':>5s} refused")
    for row in rows:
        cells = [str(row.get(field, "")) for field in FIELDS]
        print("{:42s} {:>4s} {:>6s} {:>6s} {:>8s} {:>7s} {:>5s} {}".format(*cells))
    spread = [float(str(row["abs_rel"])) for row in rows if row["row"] == "ranging, spread"]
    print(f"spread of abs_rel: {min(spread):.2f} to {max(spread):.2f}, median {np.median(spread):.2f}, n = 1 recording")
    if options.out:
        with atomic_path(options.out) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
