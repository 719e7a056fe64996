"""Picture and echo to metres with onnxruntime, NumPy, Pillow and soundfile alone: no PyTorch, no avsnet.

First, on any computer:  avsnet export avsnet_lite0_av --out avsnet.onnx
Then, on the small one:  python onnx_only.py avsnet.onnx room.jpg room.wav depth.png --fov 70
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
from PIL import Image, ImageOps


def read_picture(path: str, size: list[int]) -> tuple[np.ndarray, tuple[int, int]]:
    """(1, 3, h, w) float32 0..1, and the (width, height) of the whole upright picture."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    seen = np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR), np.float32) / 255.0
    return np.ascontiguousarray(seen.transpose(2, 0, 1)[None]), picture.size


def read_echo(path: str, samples: int, sample_rate: int) -> np.ndarray:
    """(1, 2, samples) float32, what is round the loudest sound; the graph itself finds the direct sound in it."""
    waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if waveform.shape[1] != 2:
        raise SystemExit(f"{path}: {waveform.shape[1]} channel(s); give two, the left ear first")
    waveform = waveform.T - waveform.mean(axis=0)[:, None]
    if rate != sample_rate:  # a Fourier transform of another length resamples
        count = round(waveform.shape[1] * sample_rate / rate)
        waveform = np.fft.irfft(np.fft.rfft(waveform), count) * (count / waveform.shape[1])
    loudest = int(np.abs(waveform).max(axis=0).argmax())
    if waveform.shape[1] > samples:  # leave 50 ms before it: the direct sound comes first and is loud
        waveform = waveform[:, max(0, loudest - sample_rate // 20) :]
    window = np.zeros((1, 2, samples), np.float32)
    window[0, :, : waveform.shape[1]] = waveform[:, :samples]
    return window


def intrinsics(size: list[int], whole: tuple[int, int], fov: float) -> np.ndarray:
    """(1, 3, 3) pixels of the picture as the network sees it; whole is (width, height), fov horizontal in degrees."""
    height, width = size
    focal = 0.5 * whole[0] / math.tan(math.radians(fov) / 2.0)
    fx, fy = focal * width / whole[0], focal * height / whole[1]
    return np.array([[[fx, 0.0, (width - 1) / 2], [0.0, fy, (height - 1) / 2], [0.0, 0.0, 1.0]]], np.float32)


def main() -> None:
    """Read, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "picture", "echo", "out"):
        parser.add_argument(name)
    parser.add_argument("--fov", type=float, default=70.0, help="horizontal field of view in degrees")
    given = parser.parse_args()

    declared = json.loads(Path(given.model).with_suffix(".json").read_text())
    session = onnxruntime.InferenceSession(given.model, providers=["CPUExecutionProvider"])
    image, whole = read_picture(given.picture, declared["size"])
    feed = {"image": image}
    if declared.get("audio"):
        feed["waveform"] = read_echo(given.echo, declared["samples"], declared["audio"]["sample_rate"])
    if declared.get("takes_intrinsics"):
        feed["intrinsics"] = intrinsics(declared["size"], whole, given.fov)
    depth, *heard = session.run(None, feed)
    if heard and not heard[0][0]:
        print("no echo in this recording: the metres are by sight alone")
    metres = np.asarray(Image.fromarray(depth[0, 0]).resize(whole, Image.Resampling.BILINEAR))
    Image.fromarray((metres * 1000.0).round().clip(0, 65535).astype(np.uint16)).save(given.out)
    print(f"{given.out}: 16-bit millimetres; median {np.median(metres):.2f} m")


if __name__ == "__main__":
    main()
