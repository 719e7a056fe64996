"""What an ONNX file's side file says: `model.onnx` holds a graph but not the meaning of its output.

`model.json` beside it declares {"output": kind, "layout": "NHWC" | "NCHW", "size": [height, width]}, and where they
differ from the defaults "output_name": null, "output_scale": 1, "output_min": null, "range": [0, 1],
"mean": [0, 0, 0], "std": [1, 1, 1], "license": text, "trained_on": text, "focal": null, "scale_bias": 0,
"scale_spread": null. Of a graph with several outputs (depth, normals, confidence), "output_name" says which one is the
map; "focal" is the focal length over picture width at which a network has learned metres, the two after it say how
these err, as `ModelInfo` has them: of a network that hears a spread also lets the ear correct its metres by default.

`avsnet export` also writes how pictures come to the network, as in `ModelInfo`: "size_multiple", "fit", "resample",
"upsample", "upsample_inverse", "flip", "pad", "takes_intrinsics" (a second input `intrinsics`), "gives_scale"; and of a
network that hears (an input `waveform`) "audio", the settings by which the graph makes its spectrogram, "samples",
the length of the recording that it takes, and "echo_dropout", above 0 where it also runs without one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avsnet.errors import ModelError
from avsnet.io.texts import read_json
from avsnet.models.info import FITS, FLIPS, OUTPUT_KINDS, RESAMPLINGS

LAYOUTS = ("NCHW", "NHWC")
DEFAULTS: dict[str, Any] = {
    "output_name": None,
    "output_scale": 1,
    "output_min": None,
    "range": (0, 1),
    "mean": (0, 0, 0),
    "std": (1, 1, 1),
    "license": "not stated",
    "trained_on": "",
    "focal": None,
    "scale_bias": 0,
    "scale_spread": None,
    "size_multiple": None,
    "fit": "exact",
    "resample": "bilinear",
    "upsample": "bilinear",
    "upsample_inverse": False,
    "flip": "none",
    "pad": False,
    "takes_intrinsics": False,
    "gives_scale": False,
    "audio": None,
    "samples": None,
    "echo_dropout": 0,
}
EXAMPLE = '{"output": "disparity", "layout": "NCHW", "size": [192, 640]}'


def read_declaration(path: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """What an ONNX file's side file and the caller declare about it, complete and checked.

    Args:
        path: the `.onnx` file; the side file `<stem>.json` beside it may be missing if `entries` suffice.
        entries: as in the side file; they win over it.

    Returns:
        All entries of the module's docstring.

    Raises:
        ModelError: a side file that is not JSON; an entry that is missing, unknown or wrong.
    """
    side = path.with_suffix(".json")
    declared: Any = {}
    if side.exists():
        try:
            declared = read_json(side)
        except (OSError, ValueError) as error:
            raise ModelError(f"{side}: cannot be read as JSON ({_first_line(error)})") from None
        if not isinstance(declared, dict):
            raise ModelError(f"{side}: must hold one JSON object like {EXAMPLE}")
    declared = {**declared, **entries}
    missing = [name for name in _RULES if name not in declared and name not in DEFAULTS]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        where = f"{side} lacks" if side.exists() else f"there is no {side} to declare"
        raise ModelError(f"{path}: {where} {names}; write for example {EXAMPLE} there, or give them as options")
    for name, value in declared.items():
        if name not in _RULES:
            raise ModelError(f'{path}: unknown entry "{name}"; known are {", ".join(_RULES)}')
        legal, rule = _RULES[name]
        if not legal(value):
            raise ModelError(f'{path}: "{name}" is {value!r}, but must be {rule}')
    return {**DEFAULTS, **declared}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any, count: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == count and all(map(_is_number, value))


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "output": (lambda v: v in OUTPUT_KINDS, f"one of {', '.join(OUTPUT_KINDS)}"),
    "layout": (lambda v: v in LAYOUTS, f"one of {', '.join(LAYOUTS)}"),
    "size": (
        lambda v: _are_numbers(v, 2) and all(isinstance(n, int) and n > 0 for n in v),
        "[height, width] in whole pixels",
    ),
    "output_scale": (lambda v: _is_number(v) and v != 0, "a number other than 0"),
    "output_min": (lambda v: v is None or _is_number(v), "a number or null"),
    "range": (lambda v: _are_numbers(v, 2) and v[0] < v[1], "[low, high] with low < high"),
    "mean": (lambda v: _are_numbers(v, 3), "three numbers"),
    "std": (lambda v: _are_numbers(v, 3) and min(v) > 0, "three numbers above 0"),
    "license": (lambda v: isinstance(v, str), "a text"),
    "trained_on": (lambda v: isinstance(v, str), "a text"),
    "focal": (lambda v: v is None or (_is_number(v) and v > 0), "a number above 0, such as 0.889, or null"),
    "scale_bias": (lambda v: _is_number(v) and abs(v) <= 3, "a logarithm from -3 to 3"),
    "scale_spread": (
        lambda v: v is None or (_is_number(v) and 0.02 <= v <= 3),
        "a deviation of log scale, 0.02 to 3, or null",
    ),
    "output_name": (lambda v: v is None or isinstance(v, str), "the name of an output, or null"),
    "size_multiple": (lambda v: v is None or (type(v) is int and v > 0), "whole pixels above 0, or null"),
    "fit": (lambda v: v in FITS, f"one of {', '.join(FITS)}"),
    "resample": (lambda v: v in RESAMPLINGS, f"one of {', '.join(RESAMPLINGS)}"),
    "upsample": (lambda v: v in RESAMPLINGS, f"one of {', '.join(RESAMPLINGS)}"),
    "flip": (lambda v: v in FLIPS, f"one of {', '.join(FLIPS)}"),
    **{
        name: (lambda v: isinstance(v, bool), "true or false")
        for name in ("upsample_inverse", "pad", "takes_intrinsics", "gives_scale")
    },
    "audio": (lambda v: v is None or isinstance(v, dict), "settings of avsnet.audio.network_input, or null"),
    "echo_dropout": (lambda v: _is_number(v) and 0 <= v < 1, "a share from 0 to below 1"),
    "samples": (lambda v: v is None or (type(v) is int and v > 0), "whole samples above 0, or null"),
}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
