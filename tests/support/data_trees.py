"""Small trees in the layout of each data set, made by code."""

import csv
import pickle

import numpy as np
import soundfile
from PIL import Image

from avsnet.audio.chirp import sweep

SPLITS = ("train", "val", "test")
HEIGHT, WIDTH = 9, 16
V1_HEADER = ["audio path left", "audio path right", "depth path", "camera path left"]
V2_HEADER = [f"{kind} {part}" for kind in ("audio", "depth", "camera") for part in ("path", "file name")]


def sound(direct=299, samples=2000, seed=0):
    """(samples, 2) with a chirp at `direct`; None for noise alone."""
    waveform = np.random.default_rng(seed).normal(0.0, 1e-3, (samples, 2))
    if direct is not None:
        waveform[direct : direct + 132] += 0.5 * sweep()[:, None]
    return waveform


def depth(valid):
    """Millimetres, of which the share `valid` counts."""
    metres = np.zeros(HEIGHT * WIDTH, np.uint16)
    metres[: round(valid * metres.size)] = 2000
    return metres.reshape(HEIGHT, WIDTH)


def picture(path, size=(WIDTH, HEIGHT)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 99, 199)).save(path)


def table(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def v2_tree(root, locations=("Attic", "Salle"), rows=2):
    """Each split of each location with `rows` rows; the n-th direct sound stands at 300 + n, valid is 1 / 2 or 1."""
    number = 0
    for location in locations:
        for split in SPLITS:
            entries = []
            for _ in range(rows):
                names = [f"audio_{number}.wav", f"depth_{number}.npy", f"camera_{number}.jpeg"]
                folders = [f"{location}/{kind}" for kind in ("audio", "depth", "camera")]
                picture(root / folders[2] / names[2])
                for folder in folders[:2]:
                    (root / folder).mkdir(exist_ok=True)
                soundfile.write(root / folders[0] / names[0], sound(300 + number), 44_100, subtype="PCM_32")
                np.save(root / folders[1] / names[1], depth(0.5 + number % 2 / 2))
                entries.append([cell for pair in zip(folders, names, strict=True) for cell in pair])
                number += 1
            table(root / location / f"{split}.csv", V2_HEADER, entries)
    return root


def v1_tree(root, rows=2):
    for split in SPLITS:
        entries = []
        for number in range(rows):
            stem = f"2019.08.26/{split}/1803{number:02d}.309017"
            picture(root / f"{stem}.png")
            for ear, side in enumerate(("left", "right")):
                np.save(root / f"{stem}_{side}.npy", (sound(975, 4400)[:, ear] * 32_768).astype(np.int16))
            np.save(root / f"{stem}_depth.npy", depth(0.5).astype(np.float32))
            entries.append([f"{stem}_left.npy", f"{stem}_right.npy", f"{stem}_depth.npy", f"{stem}.png"])
        table(root / f"{split}.csv", V1_HEADER, entries)
    return root


def visual_echoes_tree(root):
    states = {(3, 90): {"rgb": np.zeros((128, 128, 3), np.uint8), "depth": np.ones((128, 128), np.float32)}}
    (root / "scene_observations_128.pkl").write_bytes(pickle.dumps({"office_0": states, "office_4": states}))
    for scene in ("office_0", "office_4"):
        folder = root / "echoes_navigable" / scene / "3ms_sweep" / "90"
        folder.mkdir(parents=True)
        soundfile.write(folder / "3.wav", sound(20, 44_100), 44_100)
    return root


def captures_tree(root):
    for name in ("a", "kitchen/b"):
        picture(root / f"{name}.png")
        soundfile.write(root / f"{name}.wav", sound(), 48_000)
    return root


def rgbd_tree(root):
    """As NYU's labelled set: 8-bit maps of 50 with two odd steps and three unknown pixels; one is to test."""
    for name in ("0000", "0001", "0002"):
        picture(root / "images" / f"{name}.jpg", (64, 48))
        (root / "depth").mkdir(exist_ok=True)
        steps = np.full((48, 64), 50, np.uint8)
        steps[0, :5] = 0, 254, 255, 51, 51
        Image.fromarray(steps).save(root / "depth" / f"{name}.png")
    table(root / "split.csv", ["index", "split"], [["0000", "train"], ["0001", "test"], ["0002", "train"]])
    return root


def walls_tree(root, metres=(2.0, 3.0), pictures="images"):
    """Millimetres of flat walls, with a camera of 90 degrees; a corner is unknown, and what is far is bright."""
    for number, distance in enumerate(metres):
        for part in (pictures, "depth"):
            (root / part).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (round(20 * distance), 90, 90)).save(root / pictures / f"{number}.png")
        stored = np.full((48, 64), round(1000 * distance), np.uint16)
        stored[:4, :4] = 0
        Image.fromarray(stored).save(root / "depth" / f"{number}.png")
    np.savetxt(root / "K.txt", [[32.0, 0.0, 31.5], [0.0, 32.0, 23.5], [0.0, 0.0, 1.0]])
    return root


TREES = {
    "batvision_v1": v1_tree,
    "batvision_v2": v2_tree,
    "visual_echoes": visual_echoes_tree,
    "folder": captures_tree,
    "rgbd": rgbd_tree,
}
