"""The ear on real pictures: what a depth model's metres are worth with an echo, and with the echo of another scene.

    python benchmarks/ear_scale.py ../shared --out results/ear

Half real: true pictures and depth, made echoes, each frame with a rig of its own, known to the ear. HoloLens (94 frames
of one building, the development set), NYU Depth's test split (every fourth), TUM (15, desks from near), DIODE (1);
53 of NYU Depth's training split (`--sets nyu_val`), which the packaged AVS-Net has not seen but FastDepth and the ear
have learned from, are where the trust in an echo beside other metres is set.
Rows: the model's own metres, and those corrected for the focal length; scaled by the packaged AVS-Net's median or the
factor nearest to its map, by ranging, by the ear alone, with that factor (as `auto` does for models without metres),
with the model's own scale (as `ear` does where nothing is declared of it), with the focal length that it was trained
at, too; by the true median and by the one best factor. The packaged AVS-Net has heard each frame's own echo.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.recording import Echo, Heard, listen
from avsnet.audio.rig import Rig
from avsnet.data.rgbd import RgbdFolder
from avsnet.errors import AvsnetError, EchoError
from avsnet.geometry import intrinsics_from_fov
from avsnet.io.depth_maps import read_depth
from avsnet.io.recordings import Recording
from avsnet.metrics import depth_metrics
from avsnet.models import packaged
from avsnet.models.infer import infer
from avsnet.models.registry import create_model
from avsnet.models.sound import sound_for
from avsnet.rooms.echo_of_depth import echo_of_depth, rig_for
from avsnet.scale.ear import posterior_from_ear
from avsnet.scale.ear_network import EarNetwork
from avsnet.scale.factor import nearest_factor
from avsnet.scale.own import OwnScale
from avsnet.scale.posterior import ScalePosterior
from avsnet.scale.ranging import posterior_from_echo
from avsnet.scale.rules import as_depth
from avsnet.train.ear_distortion import DepthMap
from shared_data import require

CAP = 10.0
SETS = ("hololens", "nyu_test", "tum", "diode", "nyu_val")
COLUMNS = 256  # pixels across, about, at which maps are compared
FASTDEPTH = OwnScale(focal=0.889)
NYU_CAMERA = np.array([[259.43, 0.0, 154.54], [0.0, 259.73, 120.62], [0.0, 0.0, 1.0]])


@dataclass
class Frame:
    """A picture's true depth, its echo, and what models made of the picture, thinned."""

    name: str
    depth: np.ndarray
    camera: np.ndarray
    waveform: np.ndarray
    rig: Rig
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    echoes: dict[str, Echo] = field(default_factory=dict)

    def echo(self) -> Echo:
        """Its own, listened to once."""
        if "own" not in self.echoes:
            self.echoes["own"] = listen(self.waveform, SAMPLE_RATE, self.rig)
        return self.echoes["own"]


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


def pictures_of(real: Path, name: str) -> Iterator[tuple[str, Path, np.ndarray, np.ndarray]]:
    """Name, picture, depth in metres and intrinsics of every frame of a set."""
    if not name.startswith("nyu"):
        yield from frames_of(real, name)
        return
    root = real / "nyu_labelled"
    frames = RgbdFolder(root, "val").frames if name == "nyu_val" else RgbdFolder(root, "test").frames[::4]
    for number in (frame.id for frame in frames):
        levels = np.asarray(Image.open(root / "depth" / f"{number}.png"))
        depth = np.where((levels == 0) | (levels >= 254), 0.0, (levels + 0.5) / 25.5).astype(np.float32)
        yield number, root / "images" / f"{number}.jpg", depth, NYU_CAMERA


def frames(real: Path, name: str, cache: Path) -> list[Frame]:
    """All frames of a set, made or from the cache."""
    models = {
        "fastdepth": create_model(f"onnx:{real / 'fastdepth_nyu' / 'fast_depth_224_dequant.onnx'}"),
        "pydnet": create_model(f"onnx:{real / 'pydnet_mobile_kitti' / 'mobile_pydnet_pruned35.onnx'}"),
    }
    hearing = create_model(packaged.AV, weights="default")
    found = []
    for number, (stem, picture, depth, camera) in enumerate(tqdm(list(pictures_of(real, name)), name, disable=None)):
        path = cache / name / f"{stem}.npz"
        rig = rig_for(1000 * SETS.index(name) + number)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            step = max(1, round(depth.shape[1] / COLUMNS))
            image = np.asarray(Image.open(picture).convert("RGB"))
            near = np.where(depth <= CAP, depth, 0.0)
            echo = echo_of_depth(near, camera, rig, seed=[SETS.index(name), number]).waveform
            maps = {
                key: as_depth(infer(model, image, camera=camera), model.info.output) for key, model in models.items()
            }
            sound, _ = sound_for(hearing, Heard(Recording(echo, SAMPLE_RATE), rig.geometry))
            maps["av"] = infer(hearing, image, camera=camera, **sound)
            thinned = {key: value[::step, ::step] for key, value in (maps | {"depth": near}).items()}
            np.savez(path, waveform=echo, camera=np.diag([1 / step, 1 / step, 1.0]) @ camera, **thinned)
        with np.load(path) as kept:
            maps = {key: kept[key] for key in (*models, "av")}
            found.append(Frame(stem, kept["depth"], kept["camera"], kept["waveform"], rig.geometry, maps))
    return found


def factors(
    frame: Frame, model: str, echo: Callable[[], Echo], network: EarNetwork | None, ranged: bool
) -> dict[str, float]:
    """Each way to metres, as the factor that it gives to a model's map."""
    depth, camera = frame.maps[model], frame.camera
    known, metric = depth > 0.0, model == "fastdepth"
    own = FASTDEPTH.posterior(camera, depth.shape[1])
    found = {"own": 1.0, "own, focal": own.scale} if metric else {}
    found["AV by median"] = float(np.median(frame.maps["av"]) / np.median(depth[known]))
    found["ear"] = by_ear(depth, camera, echo, network)
    found["AV by factor"] = nearest_factor(depth, frame.maps["av"])
    witness = ScalePosterior.normal(found["AV by factor"], 0.35)  # as `auto` does for a model without metres
    found["ear, AV"] = by_ear(depth, camera, echo, network, witness)
    if metric:
        for way, known_of_it in (("ear, own", OwnScale()), ("ear, own, focal", FASTDEPTH)):
            beforehand = known_of_it.posterior(camera, depth.shape[1])
            found[way] = by_ear(depth, camera, echo, network, beforehand)
    if ranged:
        try:
            found["ranging"] = posterior_from_echo(depth, known, camera, echo(), metric=metric).posterior.scale
        except AvsnetError:
            found["ranging"] = float("nan")
    oracle = DepthMap(depth, frame.depth, camera).scales()
    return found | {"true median": oracle[0], "best factor": oracle[1]}


def by_ear(
    depth: np.ndarray,
    camera: np.ndarray,
    echo: Callable[[], Echo],
    network: EarNetwork | None,
    own: ScalePosterior | None = None,
) -> float:
    """The ear's factor; where an echo says nothing what was known beforehand, or NaN."""
    try:
        return posterior_from_ear(depth, depth > 0.0, camera, echo(), own=own, network=network).scale
    except EchoError:
        return float("nan") if own is None else own.median


def rows_of(name: str, made: list[Frame], network: EarNetwork | None, ranged: bool) -> Iterator[dict[str, object]]:
    """A row for each frame, model, echo and way to metres."""
    for number, frame in enumerate(tqdm(made, name, disable=None)):
        others = {"own": frame} | ({"another's": made[(number + len(made) // 2) % len(made)]} if len(made) > 1 else {})
        for model in ("fastdepth", "pydnet"):
            for whose, other in others.items():
                for way, factor in factors(frame, model, other.echo, network, ranged and whose == "own").items():
                    keys = {"data": name, "frame": frame.name, "model": model, "echo": whose, "scaling": way}
                    yield keys | {"scale": round(factor, 4)} | score(frame, model, factor)


def score(frame: Frame, model: str, factor: float) -> dict[str, float]:
    """Metrics of a map times a factor; NaN where a way found none."""
    names = ("abs_rel", "delta1", "rmse")
    if not np.isfinite(factor):
        return dict.fromkeys(names, float("nan"))
    scaled = np.clip(frame.maps[model] * factor, 0.001, CAP)
    found = depth_metrics(scaled, frame.depth, frame.depth > 0.1, maximum=CAP)
    return {name: round(found[name], 4) for name in names}


def main() -> None:
    """Write `<out>/<set>.csv`, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="the folder of docs/shared_data.md, such as ../shared")
    parser.add_argument("--captures", type=Path, default=Path("runs/ear_scale"), help="where echoes and maps go")
    parser.add_argument("--out", type=Path, default=Path("runs/ear_scores"))
    parser.add_argument("--sets", default=",".join(SETS[:-1]))
    parser.add_argument("--ranging", action="store_true", help="rows by ranging, too, which takes a second each")
    parser.add_argument("--ear", type=Path, help="folder of the ear's weights; the packaged ones unless given")
    options = parser.parse_args()
    require(options.shared, [f"real/{name}" for name in ("hololens_rgbd", "tum_rgbd", "fastdepth_nyu", "nyu_labelled")])
    network = None if options.ear is None else EarNetwork.load(options.ear)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets.split(","):
        rows = list(rows_of(name, frames(options.shared / "real", name, options.captures), network, options.ranging))
        with (options.out / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        print(f"\n{name}\n| model, echo | scaling | abs_rel | delta1 |\n|---|---|---|---|")
        for key in dict.fromkeys((row["model"], row["echo"], row["scaling"]) for row in rows):
            own = [row for row in rows if (row["model"], row["echo"], row["scaling"]) == key]
            means = " | ".join(f"{np.nanmean([row[name] for row in own]):.3f}" for name in ("abs_rel", "delta1"))
            print(f"| {key[0]}, {key[1]} | {key[2]} | {means} |")


if __name__ == "__main__":
    main()
