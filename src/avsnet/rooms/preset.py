"""Every knob of the simulator, frozen under a name: a data set, a table, a set of weights says which made it.

To change a knob is to make another preset. Source: the simulator's design, its corrections first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from avsnet.errors import OptionError

Range = tuple[float, float]


@dataclass(frozen=True)
class CameraNoise:
    """The camera.

    Args:
        deviation: of the noise, 1 = white.
        blur: standard deviation in pixels of a picture 256 wide.
    """

    deviation: float
    blur: float


@dataclass(frozen=True)
class DepthNoise:
    """The depth sensor.

    Args:
        deviation: of the depth, metres per square metre.
        nearest: metres; nothing is measured nearer.
        jump: relative depth step that leaves a band without depth.
        border: share of the width that is missing at the left.
        blobs: share of the picture that is missing in smooth blobs.
    """

    deviation: float
    nearest: float = 0.3
    jump: float = 0.12
    border: Range = (0.02, 0.06)
    blobs: Range = (0.03, 0.14)


@dataclass(frozen=True)
class RoomType:
    """A kind of room.

    Args:
        share: how often it is drawn.
        length: metres, as are width and height.
        width: see length.
        height: see length.
    """

    share: float
    length: Range
    width: Range
    height: Range


@dataclass(frozen=True)
class Domain:
    """One of the two kinds of building.

    Args:
        name: `"offices"` or `"historic"`.
        k: range of the scale, drawn log-uniformly.
        cap: metres; what lies deeper is not measured.
        rooms: its room types.
        camera: noise of the picture.
        depth: noise and holes of the depth.
        start: seconds of a recording before the sweep is played.
        resonance: hertz; where the ears' lift peaks.
    """

    name: str
    k: Range
    cap: float
    rooms: dict[str, RoomType]
    camera: CameraNoise
    depth: DepthNoise
    start: float
    resonance: float


@dataclass(frozen=True)
class Preset:
    """All knobs.

    Args:
        name: what is written beside everything made with it.
        domains: the kinds of building.
        ambiguous: share of rooms in which everything scales.
        fov: horizontal field of view in degrees.
        free_heights: range of the camera's height in ambiguous rooms, template units, log-uniform.
        rig_heights: ranges of the camera's height otherwise, metres: robot, trolley, hand or head.
        clearance: metres kept free round the camera at the smallest k.
        narrowest: metres; a room is no narrower at the smallest k.
        floor_clearance: metres of air under the rig's lowest part at the smallest k.
        plate: share of rigs that stand on something level which shades the floor.
        exposure: range of the median's target as a factor of 0.45.
        samples: length of a recording at 44 100 Hz.
    """

    name: str
    domains: tuple[Domain, ...]
    ambiguous: float = 0.3
    fov: float = 90.0
    free_heights: Range = (0.3, 2.0)
    rig_heights: tuple[Range, ...] = ((0.25, 0.45), (0.9, 1.3), (1.3, 1.7))
    clearance: float = 0.37
    narrowest: float = 1.3
    floor_clearance: float = 0.10
    plate: float = 0.5
    exposure: Range = (0.8, 1.25)
    samples: int = 20_000


_OFFICES = Domain(
    name="offices",
    k=(0.55, 1.6),
    cap=12.0,
    rooms={
        "office": RoomType(0.5, (3.0, 7.0), (2.6, 5.5), (2.4, 3.2)),
        "corridor": RoomType(0.3, (8.0, 22.0), (1.5, 2.8), (2.4, 3.0)),
        "lab": RoomType(0.2, (6.0, 11.0), (5.0, 9.0), (2.6, 3.8)),
    },
    camera=CameraNoise(0.008, 0.45),
    depth=DepthNoise(0.002),
    start=0.0221,
    resonance=4100.0,
)
_HISTORIC = Domain(
    name="historic",
    k=(0.5, 1.6),
    cap=30.0,
    rooms={
        "hall": RoomType(0.3, (12.0, 32.0), (8.0, 18.0), (4.5, 9.0)),
        "gallery": RoomType(0.3, (14.0, 36.0), (2.6, 5.0), (3.4, 6.0)),
        "courtyard": RoomType(0.2, (14.0, 34.0), (10.0, 24.0), (8.0, 14.0)),
        "salon": RoomType(0.2, (5.0, 10.0), (4.0, 8.0), (3.4, 5.0)),
    },
    camera=CameraNoise(0.006, 0.0),
    depth=DepthNoise(0.00125),
    start=0.0063,
    resonance=4600.0,
)

PRESETS = {"rooms-1": Preset("rooms-1", (_OFFICES, _HISTORIC))}
"""All presets by name."""

DOMAINS = ("offices", "historic")
"""Names of the domains: BatVision-V1-like and BatVision-V2-like."""


@lru_cache(maxsize=32)
def find_preset(name: str) -> Preset:
    """The preset of a name, which may change knobs: `rooms-1,ambiguous=0.6,k=0.7:1.4`.

    The changes stay in the preset's name, so whatever is made with it tells them.

    Args:
        name: a name of `PRESETS`, and after commas `ambiguous=SHARE` or `k=LOW:HIGH`.

    Raises:
        OptionError: there is no such preset or knob, or its value makes no sense.
    """
    base, *changes = name.split(",")
    if base not in PRESETS:
        raise OptionError(f"unknown preset {base!r}: choose one of {', '.join(PRESETS)}")
    preset = replace(PRESETS[base], name=name)
    for change in changes:
        knob, _, value = change.partition("=")
        try:
            low, *high = (float(number) for number in value.split(":"))
        except ValueError:
            raise OptionError(f"preset {name!r}: {change!r} is no knob=number or knob=low:high") from None
        if knob == "ambiguous" and not high:
            if not 0.0 <= low <= 1.0:
                raise OptionError(f"ambiguous {low:g}: a share lies between 0 and 1")
            preset = replace(preset, ambiguous=low)
        elif knob == "k" and len(high) == 1:
            if not 0.3 <= low <= high[0] <= 3.0:
                raise OptionError(f"k from {low:g} to {high[0]:g}: give the smaller first, both from 0.3 to 3")
            preset = replace(preset, domains=tuple(replace(domain, k=(low, high[0])) for domain in preset.domains))
        else:
            raise OptionError(f"preset {name!r}: only ambiguous=SHARE and k=LOW:HIGH can be changed, not {change!r}")
    return preset


def find_domain(name: str, preset: Preset) -> Domain:
    """A preset's domain.

    Raises:
        OptionError: there is none of that name.
    """
    for domain in preset.domains:
        if domain.name == name:
            return domain
    raise OptionError(f"unknown domain {name!r}: choose one of {', '.join(DOMAINS)}")
