"""Which things stand in which rooms, and how: with their backs to a wall, or anywhere."""

from __future__ import annotations

from collections.abc import Callable

from avsnet.rooms.geometry.blocks import Rng
from avsnet.rooms.geometry.historic_furniture import (
    commode,
    display_case,
    easel,
    fountain,
    pews,
    piano,
    plinth,
    steps,
    tree,
)
from avsnet.rooms.geometry.office_furniture import (
    bench,
    bin_,
    board,
    boxes,
    cabinet,
    chair,
    desk,
    office_chair,
    plant,
    rack,
    screen,
    shelf,
    sofa,
    stool,
    table,
)
from avsnet.rooms.geometry.scene import Quads

Piece = Callable[[Rng], Quads]

AGAINST_WALL: dict[str, dict[str, tuple[Piece, ...]]] = {
    "offices": {
        "office": (desk, cabinet, shelf, shelf, sofa, boxes, plant, table),
        "corridor": (cabinet, bench, boxes, plant, bin_, shelf, chair),
        "lab": (desk, rack, rack, cabinet, shelf, table, boxes),
    },
    "historic": {
        "hall": (bench, plinth, commode, display_case, pews, piano, plant),
        "gallery": (bench, plinth, plinth, display_case, commode, chair),
        "courtyard": (bench, plinth, tree, steps, boxes),
        "salon": (commode, sofa, shelf, cabinet, piano, chair, plinth),
    },
}
"""What stands with its back to a wall, by domain and room type."""

FREE: dict[str, dict[str, tuple[Piece, ...]]] = {
    "offices": {
        "office": (desk, table, chair, office_chair, office_chair, stool, boxes, bin_, screen, board, plant),
        "corridor": (boxes, chair, bin_, plant, board, stool),
        "lab": (table, table, desk, office_chair, stool, boxes, rack, board, screen),
    },
    "historic": {
        "hall": (pews, bench, table, chair, display_case, plinth, easel, screen),
        "gallery": (bench, plinth, display_case, chair, easel),
        "courtyard": (fountain, tree, tree, bench, plinth, steps, chair, table),
        "salon": (table, chair, chair, sofa, stool, easel, plinth, display_case, screen),
    },
}
"""What stands anywhere."""
