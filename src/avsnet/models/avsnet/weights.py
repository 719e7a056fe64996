"""AVS-Nets by name, and where their weights come from: a saved folder, the installation, or a published file.

A folder as `save_pretrained` writes it, `config.json` and `model.safetensors`, may hold half precision. From the file
of a MiDaS or ZoeDepth network a new AVS-Net can start.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

from avsnet.errors import ModelError, OptionError
from avsnet.io.texts import read_json
from avsnet.models.avsnet.names import ENCODERS, avsnet_info, encoder_info
from avsnet.models.avsnet.network import WEIGHTS, AVSNet
from avsnet.models.info import ModelInfo
from avsnet.models.load import Layout, build
from avsnet.models.metric_bins.log_binomial import CONSTANTS
from avsnet.models.midas.imagenet import load_imagenet
from avsnet.models.midas.keys import load_midas_state
from avsnet.models.registry import register_model
from avsnet.weights import find_weights, load_strictly, read_state_dict, weights_hash

_HEARING = (
    "fusion",
    "echo_width",
    "echo_front",
    "echo_dropout",
    "echo_variation",
    "fusion_output",
    "fuse_into",
    "most_trust",
    "audio",
)
"""Options of the parts that hear, of which the configuration of a network that only sees knows nothing."""


def load_folder(folder: str | Path, **options: Any) -> AVSNet:
    """Load an AVS-Net from a folder that `save_pretrained` wrote.

    Args:
        folder: with config.json and model.safetensors, whose numbers may be stored in half precision.
        options: of `AVSNet`, in place of what config.json says; in `bins` and `audio` the settings that are named.

    Returns:
        The network in eval mode, float32.

    Raises:
        ModelError: the folder is no such, or a file in it is missing, damaged or of another variant.
        OptionError: an option is outside what it allows.
    """
    config = folder_config(folder)
    for name in ("bins", "audio"):
        if name in options and isinstance(config.get(name), dict):
            options[name] = {**config[name], **options[name]}
    try:
        info = avsnet_info(encoder_info(config["encoder"]), config["fusion"] != "none")
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from None
    return build(AVSNet, info, options, folder, Layout()).eval()


def folder_config(folder: str | Path) -> dict[str, Any]:
    """The config.json of a saved AVS-Net.

    Raises:
        ModelError: there is none, or it is not one of an AVS-Net.
    """
    path = Path(folder, "config.json")
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise ModelError(f"{folder}: no config.json in it; give a folder that save_pretrained wrote") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); save the network again") from None
    if not isinstance(config, dict) or not all(isinstance(config.get(name), str) for name in ("encoder", "fusion")):
        raise ModelError(f"{path}: is not the configuration of an AVS-Net; it names no encoder and fusion")
    return config


def save_half(model: AVSNet, folder: str | Path) -> None:
    """Save a network with its weights in half precision, for packaging; `load_folder` gives float32 again.

    Args:
        model: stays as it is.
        folder: is made.
    """
    from safetensors.torch import save_file

    model.save_pretrained(folder)
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    save_file({key: value.cpu().contiguous() for key, value in state.items()}, Path(folder, WEIGHTS))


def _create(
    base: ModelInfo,
    hears: bool,
    weights: str | Path | None = None,
    *,
    fusion: str | None = None,
    input_size: tuple[int, int] | None = None,
    min_depth: float | None = None,
    max_depth: float | None = None,
    n_bins: int | None = None,
    bins: dict[str, Any] | None = None,
    echo_width: int | None = None,
    echo_front: str | None = None,
    echo_dropout: float | None = None,
    echo_variation: bool | None = None,
    fusion_output: str | None = None,
    fuse_into: str | None = None,
    most_trust: float | None = None,
    audio: dict[str, Any] | None = None,
    canonical_camera: bool | None = None,
    imagenet: str | Path | None = None,
) -> AVSNet:
    """An AVS-Net by its registered name; an option that is None is as in the weights' folder, or the default.

    With `imagenet`, a file or "installed", training starts from that encoder.
    """
    given = {key: value for key, value in locals().items() if key not in ("base", "hears", "weights", "imagenet")}
    options = {key: value for key, value in given.items() if value is not None}
    name = avsnet_info(base, hears).name
    if not hears and options.get("fusion", "none") != "none":
        raise OptionError(f"{name} only sees; for fusion {fusion} take {avsnet_info(base, True).name}")
    if hears and fusion == "none":
        raise OptionError(f"{name} hears; without fusion it is {avsnet_info(base, False).name}")
    fresh: dict[str, Any] = {
        "fusion": "bilinear" if hears else "none",
        "fuse_into": "decoder" if base is ENCODERS["midas_tiny"] else "bins",
        "canonical_camera": base is ENCODERS["midas_lite0"],
    }
    fresh |= options
    if imagenet is not None and (weights is not None or base is not ENCODERS["midas_lite0"]):
        raise OptionError(f"{name}: imagenet {imagenet} is for fresh weights of avsnet_lite0_av and _v; leave it out")
    if weights is None:
        started = AVSNet(base.name, **fresh)
        if imagenet is not None:
            load_imagenet(started.midas.pretrained, imagenet)
        return started
    if weights == "default":
        found = find_weights(name)
        if found is None:
            raise ModelError(
                f"{name}: no weights of it come with this installation; train it (avsnet train) and give "
                "weights=FOLDER, or start from a published MiDaS or ZoeDepth file by weights=FILE"
            )
        weights = found
    path = Path(weights)
    if not path.is_dir():
        started = _from_published(AVSNet(base.name, **fresh), path)
        started.weights_hash = weights_hash(path, options=fresh)
        return started
    config = folder_config(path)
    saved = f"{config['encoder']} with fusion {config['fusion']}"
    if hears and config["encoder"] == base.name and config["fusion"] == "none":
        return _from_visual(base, options, path)
    if config["encoder"] != base.name or (config["fusion"] != "none") != hears:
        raise ModelError(f"{path}: holds an AVS-Net on {saved}, which is not {name}; create it by its own name")
    return load_folder(path, **options)


def _from_visual(base: ModelInfo, given: dict[str, Any], path: Path) -> AVSNet:
    """Start a network that hears from the saved one that only sees; the parts that hear stay fresh, and that is said.

    As the gate of a residual fusion starts at zero, its metres are at first those of the saved network.
    """
    seen, state = folder_config(path), read_state_dict(path / WEIGHTS)
    kept = {key: value for key, value in seen.items() if key not in _HEARING}
    model = AVSNet(**{"fusion": "bilinear", **kept, **given, "encoder": base.name})
    fresh = {key: value for key, value in model.state_dict().items() if key.startswith(("echo_encoder.", "fusion."))}
    load_strictly(model, state | fresh, path)
    model.weights_hash = weights_hash(path / WEIGHTS, options=given)
    warnings.warn(f"{path}: gave all that sees; fresh: echo_encoder, fusion", stacklevel=2)
    return model.eval()


def _from_published(model: AVSNet, path: Path) -> AVSNet:
    """Start from the file of a MiDaS or ZoeDepth network; what it does not hold stays fresh, and is said."""
    state = read_state_dict(path)
    core = {key.removeprefix("core.core."): value for key, value in state.items() if key.startswith("core.core.")}
    head = {key: value for key, value in state.items() if not key.startswith("core.core.")} if core else {}
    if not core and not any(key.startswith("scratch.") for key in state):
        raise ModelError(f"{path}: neither a MiDaS nor a ZoeDepth file, and no folder of an AVS-Net")
    load_midas_state(model.midas, core or state, path)
    if head:
        load_strictly(model.metric_bins, head, path, unused=CONSTANTS)
    gave = "the MiDaS network and the metric bins" if head else "the MiDaS network"
    fresh = [name for name, _ in model.named_children() if name not in ("midas", *(["metric_bins"] if head else []))]
    if fresh:
        warnings.warn(f"{path}: gave {gave}; fresh: {', '.join(fresh)}", stacklevel=2)
    return model


for _encoder in ENCODERS.values():
    for _hears in (True, False):
        register_model(avsnet_info(_encoder, _hears))(partial(_create, _encoder, _hears))
