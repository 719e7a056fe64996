"""A network in evaluation mode while it predicts, in its own mode before and after, whoever else predicts with it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from torch import nn


@dataclass
class _Mode:
    """How many predict with a network, and which parts of it were in training mode before the first of them."""

    predicting: int = 0
    training: list[nn.Module] = field(default_factory=list)


_LOCK = threading.Lock()
_MODES: weakref.WeakKeyDictionary[nn.Module, _Mode] = weakref.WeakKeyDictionary()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Have a network in evaluation mode; the last thread that is done gives each part its own mode back.

    Args:
        network: shared by any number of threads, none of which trains it meanwhile.
    """
    with _LOCK:
        mode = _MODES.setdefault(network, _Mode())
        if mode.predicting == 0:
            mode.training = [part for part in network.modules() if part.training]
            if mode.training:
                network.eval()
        mode.predicting += 1
    try:
        yield
    finally:
        with _LOCK:
            mode.predicting -= 1
            if mode.predicting == 0:
                for part in mode.training:
                    part.training = True
                mode.training = []
