"""Feed broken and hostile files to every reader, seeded, and report anything but an error of ours or a sound result.

    python tools/fuzz.py --cases 50000 --keep faults     # files that were a fault are kept

A case is a whole file of one reader with a few changes: bytes changed, cut, doubled and moved, and in texts numbers and
entries that no program writes. A fault is an exception that is no `AvsnetError`, one of several lines, a result that
cannot be (no finite number, another type), or more than `SECONDS`.
"""

import argparse
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

SECONDS = 20
WORDS = [
    b"1e400",
    b"-1",
    b"0",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"9" * 400,
    b"[" * 300,
    b"&a [*a]",
    b"\0",
]
WORDS += [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0" * 8, b"../../etc/passwd", b"\x1b[2J", b"1e308", b"4294967296"]


def seeds(folder: Path) -> dict[str, list[Path]]:
    """Whole files of every kind, by the reader in `READERS`."""
    import soundfile
    import torch
    from PIL import Image

    from avsnet.audio.chirp import sweep
    from avsnet.audio.rig import Rig
    from avsnet.train.config import TrainConfig, write_config
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
    shutil.copy(PACKAGED / "avsnet_tiny_v" / "config.json", folder / "config.json")
    torch.save({"model": {"a.weight": torch.ones(3, 4), "b": torch.zeros(2)}}, folder / "weights.pt")
    torch.save({"a": torch.ones(3)}, folder / "old.pt", _use_new_zipfile_serialization=False)
    shutil.copy(PACKAGED / "ear" / "model.safetensors", folder / "weights.safetensors")
    import pickle

    (folder / "arrays.pkl").write_bytes(pickle.dumps({"a": depth, "b": [1, 2.0, "c"]}, 2))
    return {
        name: sorted(path for pattern in reader[0] for path in folder.glob(pattern)) for name, reader in READERS.items()
    }


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
    from avsnet.train.config import read_config

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
        shutil.copy(PACKAGED / "avsnet_tiny_v" / "model.safetensors", folder)
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

    Prediction.load(path)


def _mark(path):
    from avsnet.io.authorship import written_by_avsnet

    written_by_avsnet(path)


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
    "prediction": (["depth.npz"], _prediction, 2),
    "authorship": (["depth.*", "sound.wav", "table.csv"], _mark, 1),
}
"""What reads: patterns of its files, the call, and its share of the cases."""


def changed(content: bytes, other: bytes, random_: random.Random) -> bytes:
    """A file with one to four changes."""
    made = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(made) + 1)
        # Heads and tails hold what readers believe.
        at = random_.choice([at, min(at, 64), max(0, len(made) - 64 + at % 64)])
        length = random_.choice([1, 1, 2, 4, 8, 64])
        kind = random_.randrange(7)
        if kind == 0 and at < len(made):
            made[at] = random_.randrange(256)
        elif kind == 1:
            made[at : at + length] = random_.choice(WORDS)
        elif kind == 2:
            made[at:at] = random_.choice(WORDS)
        elif kind == 3:
            del made[at : at + length]
        elif kind == 4:
            del made[at:]
        elif kind == 5:
            made[at:at] = made[at : at + length] * random_.choice([1, 2, 100])
        else:
            from_ = random_.randrange(len(other) + 1)
            made[at : at + length] = other[from_ : from_ + length]
    return bytes(made)


class _Hang(BaseException):
    """A case took too long; no reader may catch it."""


def _hang(*_):
    raise _Hang


def outcome(read: Callable[[Path], None], path: Path) -> str:
    """What became of a case: "typed", "accepted", or what is wrong."""
    from avsnet.errors import AvsnetError

    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
        return "accepted"
    except AvsnetError as error:
        return "typed" if "\n" not in str(error) else f"an error of several lines: {error}"
    except _Hang:
        return "hang"
    except AssertionError as error:
        return f"wrong: {error}"
    except Exception as error:
        return f"other: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        signal.alarm(0)


def run(cases: int, seed: int = 0, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Run cases.

    Returns:
        How many of each outcome; one line a fault.
    """
    signal.signal(signal.SIGALRM, _hang)
    random_, counts, faults = random.Random(seed), Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = seeds(folder)
        names = [reader for reader, (_, _, share) in READERS.items() for _ in range(share)]
        everything = [path.read_bytes() for paths in files.values() for path in paths]
        for case in range(cases):
            reader = random_.choice(names)
            whole = random_.choice(files[reader])
            path = folder / "case" / f"case{whole.suffix}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(changed(whole.read_bytes(), random_.choice(everything), random_))
            found = outcome(READERS[reader][1], path)
            counts[found.partition(":")[0]] += 1
            if found not in ("typed", "accepted"):
                faults.append(f"case {case}, {reader} ({whole.name}): {found}")
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{case}_{whole.name}")
            path.unlink()
    return counts, faults


def main() -> int:
    """Run, and print counts, faults and the memory they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    run(50, given.seed + 1)  # what imports take is not the files'
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    counts, faults = run(given.cases, given.seed, given.keep)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(*faults, sep="\n")
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    print(f"{given.cases} cases in {time.monotonic() - start:.0f} s: {told}; {grown:.2f} GiB above the start at most")
    return 1 if faults or grown > 2.0 else 0


if __name__ == "__main__":
    sys.exit(main())
