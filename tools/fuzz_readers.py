"""What `tools/fuzz.py` changes, who reads it, and what makes a result sound."""

import json
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import fuzz_answers
import numpy as np


def seeds(folder: Path) -> dict[str, list[Path]]:
    """Whole files of every kind, by the reader in `READERS`."""
    import soundfile
    import torch
    from PIL import Image

    from avsnet.audio.chirp import sweep
    from avsnet.audio.rig import Rig
    from avsnet.train.config import TrainConfig
    from avsnet.train.config_file import write_config
    from avsnet.weights import PACKAGED

    random_ = np.random.default_rng(0)
    picture = Image.fromarray(random_.integers(0, 256, (24, 32, 3), np.uint8))
    depth = random_.uniform(1.0, 4.0, (24, 32)).astype(np.float32)
    sound = 1e-3 * random_.standard_normal((6000, 2))
    sound[500 : 500 + len(sweep())] += 0.5 * sweep()[:, None]
    for end in ("png", "jpg", "tif", "webp", "bmp", "gif", "ppm"):
        picture.save(folder / f"picture.{end}")
    np.save(folder / "depth.npy", depth)
    np.savez_compressed(folder / "depth.npz", depth=depth, intrinsics=np.eye(3) * 20)
    Image.fromarray((depth * 1000).astype(np.uint16)).save(folder / "depth.png")
    Image.fromarray(depth).save(folder / "depth.tif")
    for end, form in {"wav": None, "flac": None, "ogg": None, "aiff": None, "rf64": "RF64", "w64": "W64"}.items():
        soundfile.write(folder / f"sound.{end}", sound, 44_100, format=form)
    (folder / "camera.json").write_text(json.dumps({"width": 32, "height": 24, "fx": 20, "fy": 20, "cx": 16, "cy": 12}))
    (folder / "camera.yaml").write_text(
        "image_width: 32\nimage_height: 24\nK: &k [20, 0, 16, 0, 20, 12, 0, 0, 1]\nD: *k\n"
    )
    (folder / "camera.txt").write_text("20 0 16\n0 20 12\n0 0 1\n")
    (folder / "cameras.txt").write_text("# list\n1 PINHOLE 32 24 20.0 20.0 16.0 12.0\n")
    (folder / "calib.txt").write_text("S_rect_02: 32 24\nP_rect_02: 20 0 16 0 0 20 12 0 0 0 1 0\n")
    Rig().to_json(folder / "rig.json")
    (folder / "table.csv").write_text("depth path,camera path left\na/1.npy,a/1.jpg\n'a b'/2.npy,\"a,b.jpg\"\n")
    write_config(TrainConfig(out="runs/a"), folder / "train.yaml")
    (folder / "rgbd.json").write_text('{"pictures": "rgb/*", "depth": "depth/*", "depth_scale": 1000, "unknown": [7]}')
    (folder / "onnx.json").write_text('{"output": "disparity", "layout": "NCHW", "size": [32, 32], "mean": [0, 0, 0]}')
    shutil.copy(PACKAGED / "avsnet_lite0_v" / "config.json", folder / "config.json")
    torch.save({"model": {"a.weight": torch.ones(3, 4), "b": torch.zeros(2)}}, folder / "weights.pt")
    torch.save({"a": torch.ones(3)}, folder / "old.pt", _use_new_zipfile_serialization=False)
    shutil.copy(PACKAGED / "ear" / "model.safetensors", folder / "weights.safetensors")
    frames = [picture, picture.rotate(180), picture.convert("L")]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:], duration=40)
    (folder / "log.csv").write_text("step,epoch,loss\n1,0,0.5\n2,0,0.25\n3,1,0.125\n")
    _scores(folder)
    _predicted(folder, depth)
    shutil.copy(PACKAGED / "ear" / "model.safetensors", folder / "ear.safetensors")
    fuzz_answers.seeds(folder)
    (folder / "arrays.pkl").write_bytes(pickle.dumps({"a": depth, "b": [1, 2.0, "c"]}, 2))
    return {
        name: sorted(path for pattern in reader[0] for path in folder.glob(pattern)) for name, reader in READERS.items()
    }


def _scores(folder):
    """A sealed table as `evaluate` writes it."""
    from avsnet.evaluation.scores import SCORE_FIELDS, Scores

    names = {"data": "rooms", "system": "a", "scaling": "none", "status": "ok", "row": "1", "fov": "70"}
    rows = [dict.fromkeys(SCORE_FIELDS, "0.5") | names | {"id": f"room/{number}"} for number in range(3)]
    Scores({"data": "rooms"}, rows, []).write(folder)


def _predicted(folder, depth):
    """A prediction with everything that it can hold."""
    from avsnet.prediction import Prediction
    from avsnet.scale.posterior import ScalePosterior

    scale, known = ScalePosterior.normal(2.0, 0.1), np.full(depth.shape, True)
    names = {"model": "a", "weights_hash": "b", "scale_source": "ear", "version": "1", "warnings": ("odd",)}
    camera = np.array([[20.0, 0.0, 15.5], [0.0, 20.0, 11.5], [0.0, 0.0, 1.0]])
    whole = Prediction(depth, "relative_depth", 2.0, 0.0, known, camera, posterior=scale, prior=scale, **names)
    whole.save(folder / "prediction.npz")


def _finite(result):
    values = np.asarray(result)
    assert values.size and values.dtype.kind in "fiub" and np.isfinite(values).all(), "not finite"


def _picture(path):
    from avsnet.io.pictures import read_image

    pixels = read_image(path)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size, "no RGB"


def _depth(path):
    from avsnet.io.depth_maps import read_depth

    depth = read_depth(path)
    _finite(depth)
    assert depth.ndim == 2 and (depth >= 0.0).all() and depth.any(), "no depth"


def _ear(path):
    from avsnet.data.batvision_files import load_depth

    depth, valid = load_depth(path, 10.0)
    assert depth.shape == valid.shape and bool((depth[valid] > 0.0).all()), "no depth"


def _sound(path):
    from avsnet.audio.recording import Heard
    from avsnet.io.recordings import read_wav

    recording = read_wav(path)
    _finite(recording.waveform)
    Heard(recording).echo()


def _camera(path):
    from avsnet.geometry import read_intrinsics

    matrix = read_intrinsics(path, 32, 24)
    _finite(matrix)
    assert matrix.shape == (3, 3), "no camera"


def _rig(path):
    from avsnet.audio.rig import Rig

    _finite(Rig.from_json(path).direct_paths)


def _table(path):
    from avsnet.data.table import inside, read_table

    for row in read_table(path, ["depth path"]):
        assert Path(inside("root", row["depth path"], table=path)).parts[:1] == ("root",), "outside"


def _config(path):
    from avsnet.train.config_file import read_config

    read_config(path)


def _rgbd(path):
    from avsnet.data.rgbd_conventions import read_settings

    read_settings(path)


def _declaration(path):
    from avsnet.models.onnx import read_declaration

    read_declaration(path.with_suffix(".onnx"), {})


def _network(path):
    from avsnet.models.avsnet.weights import load_folder
    from avsnet.weights import PACKAGED

    folder = path.parent / "network"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "config.json")
    if not (folder / "model.safetensors").exists():
        shutil.copy(PACKAGED / "avsnet_lite0_v" / "model.safetensors", folder)
    load_folder(folder)


def _weights(path):
    from avsnet.weights import read_state_dict

    assert all(isinstance(key, str) for key in read_state_dict(path)), "entries without names"


def _checkpoint(path):
    from avsnet.train.checkpoint import check_checkpoint

    check_checkpoint(path)


def _pickle(path):
    from avsnet.data.array_pickle import read_array_pickle

    read_array_pickle(path)


def _prediction(path):
    from avsnet.prediction import Prediction

    prediction = Prediction.load(path)
    if prediction.valid.any():
        fuzz_answers.check(prediction)


def _entries(path):
    """Arrays of which some are not what their names say: an archive's own checksums let no changed byte in."""
    random_ = random.Random(path.read_bytes())
    with np.load(path.parent.parent / "prediction.npz") as whole:
        entries = dict(whole)
    for _ in range(random_.randint(1, 3)):
        name = random_.choice(sorted(entries))
        before = entries[name]
        others = [np.zeros(0), np.array(np.nan), np.array("text"), np.full((3, 3), np.inf), np.array([-1.0, 2.0])]
        others += [np.array(10**300), before[None], before.ravel()[:1], before.astype(str), np.array(True)]
        others += [np.full_like(before, 0), before.astype(np.complex64) if before.dtype.kind in "fiu" else before.T]
        entries[name] = random_.choice(others)
        if random_.random() < 0.2:
            del entries[name]
    np.savez(path.with_suffix(".npz"), **entries)
    random_.choice([_prediction, _prediction, _depth, _camera])(path.with_suffix(".npz"))


def _mark(path):
    from avsnet.io.authorship import written_by_avsnet

    written_by_avsnet(path)


def _film(path):
    from avsnet.io.videos import read_video

    for frame in read_video(path):
        assert frame.image.dtype == np.uint8 and frame.image.ndim == 3 and np.isfinite(frame.time), "no frame"


def _log(path):
    from avsnet.train.callbacks import Table

    Table(path, ("step", "epoch", "loss")).cut(2)
    head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert head == "step,epoch,loss" and all(int(line.split(",")[0].strip('"')) <= 2 for line in lines), "no log"
    assert all(line.isprintable() for line in lines), "a damaged line"


def _evaluated(path):
    from avsnet.evaluation.scores import Scores

    folder = path.parent / "scores"
    folder.mkdir(exist_ok=True)
    shutil.copy(path.parent.parent / "intervals.csv", folder)
    shutil.copy(path, folder / "scores.csv")
    assert len(Scores.read(folder, sealed=True).rows) == 3, "rows were lost"


def _ear_weights(path):
    from avsnet.scale.ear_network import EarNetwork

    folder = path.parent / "ear"
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / "model.safetensors")
    EarNetwork.load(folder)


def _captures(path):
    """A folder of captures, of which one file is changed."""
    from avsnet.data.registry import open_data
    from avsnet.data.sample import check_sample

    folder, name = path.parent / "captures", {".json": "intrinsics.json", ".npy": "a_depth.npy"}
    folder.mkdir(exist_ok=True)
    for whole, part in (("picture.png", "a.png"), ("sound.wav", "a.wav"), ("depth.npy", "a_depth.npy")):
        shutil.copy(path.parent.parent / whole, folder / part)
    shutil.copy(path.parent.parent / "camera.json", folder / "intrinsics.json")
    shutil.copy(path, folder / name.get(path.suffix, f"a{path.suffix}"))
    check_sample(open_data(folder).data[0])


READERS: dict[str, tuple[list[str], Callable[[Path], None], int]] = {
    "picture": (["picture.*"], _picture, 4),
    "depth": (["depth.*"], _depth, 4),
    "depth of BatVision": (["depth.npy"], _ear, 2),
    "sound": (["sound.*"], _sound, 4),
    "camera": (["camera*.*", "calib.txt"], _camera, 4),
    "rig": (["rig.json"], _rig, 2),
    "table": (["table.csv"], _table, 2),
    "training's config": (["train.yaml"], _config, 1),
    "rgbd.json": (["rgbd.json"], _rgbd, 2),
    "onnx's side file": (["onnx.json"], _declaration, 2),
    "config.json": (["config.json"], _network, 1),
    "weights": (["*.pt", "weights.safetensors"], _weights, 4),
    "checkpoint": (["weights.pt"], _checkpoint, 1),
    "pickle": (["arrays.pkl"], _pickle, 2),
    "prediction": (["prediction.npz"], _prediction, 2),
    "film": (["film.gif"], _film, 2),
    "training's log": (["log.csv"], _log, 1),
    "scores": (["scores.csv"], _evaluated, 1),
    "ear": (["ear.safetensors"], _ear_weights, 1),
    "captures": (["picture.png", "sound.wav", "depth.npy", "camera.json"], _captures, 2),
    "page's picture": (["picture.*"], fuzz_answers.uploaded("picture"), 1),
    "page's recording": (["sound.*"], fuzz_answers.uploaded("echo"), 1),
    "page's camera": (["camera*.*"], fuzz_answers.uploaded("camera_file"), 1),
    "page's rig": (["rig.json"], fuzz_answers.uploaded("rig_file"), 1),
    "what is typed on the page": (["typed*.txt"], fuzz_answers.typed, 2),
    "stream": (["stream*.bin"], fuzz_answers.stream, 3),
    "entries of an archive": (["stream*.bin"], _entries, 2),
    "authorship": (["depth.*", "sound.wav", "table.csv"], _mark, 1),
}
"""What reads: patterns of its files, the call, and its share of the cases."""
