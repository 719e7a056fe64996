"""A room while it is being drawn: what is in it already, and where along its walls there is space left.

In template units, as all of the scene grammar; source: the simulator's design.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from avsnet.rooms.geometry.blocks import block
from avsnet.rooms.geometry.scene import Lamp, Look, Quads, placed
from avsnet.rooms.geometry.shells import Space
from avsnet.rooms.preset import Domain

AIR = 0.04
"""Between pieces of furniture, and between them and the wall."""


@dataclass
class RoomPlan:
    """A room while it is being drawn."""

    rng: np.random.Generator
    domain: Domain
    room_type: str
    space: Space
    smallest: float
    parts: list[Quads] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    floors: list[np.ndarray] = field(default_factory=list)
    taken: list[list[tuple[float, float]]] = field(default_factory=lambda: [[], [], [], []])  # of each side
    feet: list[np.ndarray] = field(default_factory=list)  # (4,) x low, x high, y low, y high of what stands there

    @property
    def height(self) -> float:
        """From floor to ceiling."""
        return self.space.height

    def place_on_side(self, side: int, width: float, tries: int = 10) -> float | None:
        """Where along a side something as wide begins that meets nothing else there."""
        room = self.space.length(side) - width
        for _ in range(tries if room > 0.2 else 0):
            start = self.rng.uniform(0.1, room - 0.1)
            if all(start + width + 0.05 < low or high + 0.05 < start for low, high in self.taken[side]):
                self.taken[side].append((start, start + width))
                return float(start)
        return None

    def mount(self, side: int, middle: float, low: float, size: tuple[float, float, float], surface: Look) -> None:
        """A box on a wall: width, thickness and height."""
        at = self.space.on_side(side, middle, 0.0, size[1] / 2)
        self.parts.append(
            placed(block(0, 0, low, size, surface).take((0, 1, 2, 3, 5)), at[0], at[1], self.facing(side))
        )

    def facing(self, side: int) -> float:
        """The turn that makes a thing's front look into the room from a side."""
        inward = self.space.inward(side)
        return float(np.arctan2(inward[1], inward[0]) - np.pi / 2)
