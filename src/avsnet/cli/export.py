"""`avsnet export`: a network as an ONNX file."""

from pathlib import Path

from avsnet.errors import OptionError


def export(model: str, *, out: str, size: str | None = None, overwrite: bool = False) -> int:
    """Write a network as ONNX, with a side file that says what its numbers mean, and compare it with PyTorch.

    Afterwards onnx:NAME.onnx is a depth model of every verb, and onnxruntime alone runs it: docs/export.md.

    Args:
        model: a name that `avsnet models` lists, NAME=PATH with the weights of that file or folder, the folder of a
            saved AVS-Net, or ear.
        out: NAME.onnx to write; NAME.json appears next to it.
        size: height,width of the pictures in pixels; the network's own for a picture of 4:3 if not given.
        overwrite: also replace files of these names.
    """
    from avsnet.cli.results import check_writable, refuse_foreign
    from avsnet.export import export_onnx
    from avsnet.predict import load_model
    from avsnet.scale.ear import packaged_ear

    path = Path(out)
    check_writable(path.parent)
    refuse_foreign((path, path.with_suffix(".json")), overwrite)
    sides = _sides(size)
    if model == "ear" and sides is not None:
        raise OptionError("--size: the ear takes no picture; leave it out")
    done = export_onnx(packaged_ear() if model == "ear" else load_model(model), path, sides)
    takes = "" if done.size is None else f" of pictures of {done.size[0]} x {done.size[1]}"
    side = path.with_suffix(".json").name
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, takes batches{takes}; {side} says the rest")
    print(f"differs from PyTorch by {done.error:.1e} of the largest value at most, tried on batches of 1, 2 and 3")
    times = f"{1000.0 * done.onnx_seconds:.1f} ms against {1000.0 * done.torch_seconds:.1f} ms in PyTorch"
    print(f"one at a time on this CPU: {times}, {done.speed_up:.2f} times as fast")
    return 0


def _sides(text: str | None) -> tuple[int, int] | None:
    """(height, width) of "192,640"."""
    if text is None:
        return None
    try:
        height, width = map(int, text.split(","))
    except ValueError:
        raise OptionError(f"--size is {text!r}, but must be height,width, such as 192,640") from None
    return height, width
