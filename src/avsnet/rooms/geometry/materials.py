"""What surfaces and air do to sound, in the eight octave bands from 125 Hz to 16 kHz.

Source: absorption up to 8 kHz from the material table that pyroomacoustics carries, its last one or two bands
extrapolated; grass and gravel are textbook orders of magnitude. Scattering is a design value given at 250 Hz and 8 kHz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avsnet.errors import OptionError

BANDS = tuple(125.0 * 2**octave for octave in range(8))
"""Hertz; centres of the octave bands."""

AIR = np.array([1e-4, 3e-4, 6e-4, 1e-3, 1.7e-3, 4.1e-3, 1.35e-2, 4.5e-2])
"""(8,) energy that air takes from sound, 1/m, at 20 degrees Celsius and 50 to 70 % humidity."""


@dataclass(frozen=True)
class Material:
    """A surface.

    Args:
        name: lower snake case.
        absorption: (8,) share of the energy absorbed at a reflection, per band.
        scattering: (8,) share of the reflected energy that does not leave by the mirror law, per band.
    """

    name: str
    absorption: tuple[float, ...]
    scattering: tuple[float, ...]


def _material(name: str, absorption: str, low: float, high: float) -> Material:
    """`low` and `high`: scattering up to 250 Hz and from 8 kHz, straight over log frequency between."""
    scattering = np.interp(np.log2(BANDS), np.log2([250.0, 8000.0]), [low, high])
    return Material(name, tuple(map(float, absorption.split())), tuple(scattering.round(4).tolist()))


MATERIALS = (
    _material("plaster", ".15 .10 .06 .04 .04 .05 .05 .05", 0.05, 0.25),
    _material("brick", ".03 .03 .03 .04 .05 .07 .07 .07", 0.10, 0.50),
    _material("limestone", ".02 .02 .03 .04 .05 .05 .05 .06", 0.10, 0.50),
    _material("concrete", ".02 .03 .03 .03 .04 .07 .07 .08", 0.05, 0.30),
    _material("marble", ".01 .01 .01 .02 .02 .02 .02 .03", 0.03, 0.15),
    _material("linoleum", ".02 .03 .03 .03 .03 .02 .02 .03", 0.03, 0.15),
    _material("wood", ".18 .12 .10 .09 .08 .07 .07 .08", 0.08, 0.35),
    _material("parquet", ".09 .06 .05 .05 .05 .04 .04 .05", 0.05, 0.25),
    _material("carpet", ".02 .04 .08 .20 .35 .40 .40 .45", 0.10, 0.50),
    _material("ceiling_tile", ".49 .53 .53 .75 .92 .99 .95 .95", 0.10, 0.40),
    _material("glass", ".10 .05 .04 .03 .03 .03 .03 .03", 0.02, 0.10),
    _material("curtain", ".30 .45 .65 .56 .59 .71 .71 .70", 0.30, 0.70),
    _material("upholstery", ".49 .66 .80 .88 .82 .70 .70 .70", 0.40, 0.70),
    _material("door", ".14 .10 .06 .08 .10 .10 .10 .10", 0.05, 0.20),
    _material("grass", ".11 .26 .60 .69 .92 .99 .99 .99", 0.40, 0.80),
    _material("gravel", ".25 .60 .65 .70 .75 .80 .80 .80", 0.40, 0.80),
)
"""Every surface; a rectangle's `material` is an index into it."""

_INDEX = {material.name: index for index, material in enumerate(MATERIALS)}


def material_index(name: str) -> int:
    """Where a material stands in `MATERIALS`.

    Raises:
        OptionError: there is none of that name.

    >>> material_index("brick")
    1
    """
    if name not in _INDEX:
        raise OptionError(f"material {name!r} is none of {', '.join(_INDEX)}")
    return _INDEX[name]
