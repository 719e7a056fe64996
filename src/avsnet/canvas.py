"""Matplotlib's figures, whatever backend the environment names: they are drawn into files, which needs none.

A notebook sets MPLBACKEND for all its commands, also for those of environments that lack that backend; there the mere
import of matplotlib fails.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
try:
    import matplotlib
    from matplotlib import colormaps
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
if _backend:
    # One that is here is chosen, as matplotlib would have done: a caller may go on to show figures.
    with suppress(ValueError):
        matplotlib.rcParams["backend"] = _backend

__all__ = ["Axes", "Figure", "Normalize", "ScalarMappable", "colormaps"]
