"""The mark by which avsnet recognises the files that it wrote itself, so that it replaces nothing else.

PNG and WAV name their software; an NPZ has the keys of a `Prediction`; a PLY begins with our comment, a GLB names its
generator, a table of scores begins with our version; a page names its generator.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

_NPZ_KEYS = {"depth", "kind", "scale", "scale_source", "version"}
_HEAD = 4096  # bytes of a file in which our mark stands


@lru_cache(maxsize=1)
def own_version() -> str:
    """The version of avsnet; finding it takes milliseconds."""
    return version("avsnet")


def software() -> str:
    """The mark: what a PNG's text `Software` and a WAV's `software` say."""
    return f"avsnet {own_version()}"


def png_mark() -> PngInfo:
    """The mark as Pillow takes it for a PNG."""
    mark = PngInfo()
    mark.add_text("Software", software())
    return mark


def written_by_avsnet(path: str | Path) -> bool:
    """Whether a file carries the mark of avsnet; a missing, broken or foreign file does not.

    Args:
        path: `.png`, `.npz`, `.ply`, `.glb`, `.wav`, `.csv` or `.html`; nothing else is marked.
    """
    path = Path(path)
    recognises = {
        ".png": _png,
        ".npz": _npz,
        ".ply": _ply,
        ".glb": _glb,
        ".wav": _wav,
        ".csv": _csv,
        ".html": _html,
    }.get(path.suffix.lower())
    try:
        return recognises is not None and path.is_file() and recognises(path)
    except Exception:  # on a broken file these readers raise nearly anything, and no broken file is known to be ours
        return False


def _png(path: Path) -> bool:
    with Image.open(path) as picture:
        return picture.format == "PNG" and _is_ours(str(picture.info.get("Software", "")))


def _npz(path: Path) -> bool:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as entries:
        return set(entries.files) >= _NPZ_KEYS


def _ply(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD).partition(b"end_header")[0]
    return head.startswith(b"ply") and b"\ncomment avsnet " in head


def _glb(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith(b"glTF") and b'"generator":"avsnet ' in head


def _wav(path: Path) -> bool:
    with soundfile.SoundFile(path) as file:
        return _is_ours(file.software)


def _csv(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        return file.readline().startswith("# avsnet: ")


def _html(path: Path) -> bool:
    with path.open(encoding="utf-8") as file:
        return '<meta name="generator" content="avsnet ' in file.read(_HEAD)


def _is_ours(text: str) -> bool:
    return text.split(" ")[0] == "avsnet"
