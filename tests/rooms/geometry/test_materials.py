"""The materials against the table that they were taken from, and within what physics allows."""

import numpy as np
import pytest

from avsnet.errors import OptionError
from avsnet.rooms.geometry.materials import AIR, BANDS, MATERIALS, material_index
from avsnet.rooms.sound.rig import BEHIND

SOURCES = {
    "brick": "brick_wall_rough",
    "limestone": "limestone_wall",
    "concrete": "rough_concrete",
    "marble": "marble_floor",
    "linoleum": "linoleum_on_concrete",
    "wood": "wood_16mm",
    "carpet": "carpet_thin",
    "ceiling_tile": "ceiling_fissured_tile",
    "glass": "glass_window",
    "curtain": "curtains_cotton_0.5",
    "upholstery": "chairs_medium_upholstered",
    "door": "wooden_door",
}


@pytest.mark.parametrize("ours, theirs", SOURCES.items())
def test_absorption_is_that_of_the_table_it_comes_from(ours, theirs):
    pyroomacoustics = pytest.importorskip("pyroomacoustics")
    table = np.array(pyroomacoustics.Material(theirs).absorption_coeffs).ravel()[:7]
    if len(table) == 1:
        pytest.skip("the table gives one number for all bands")
    np.testing.assert_allclose(MATERIALS[material_index(ours)].absorption[: len(table)], table, atol=0.0051)


def test_every_share_lies_between_nothing_and_everything():
    for material in MATERIALS:
        assert len(material.absorption) == len(material.scattering) == len(BANDS)
        assert 0.0 < min(material.absorption) and max(material.absorption) < 1.0
        assert 0.0 < min(material.scattering) and max(material.scattering) < 1.0
        assert list(material.scattering) == sorted(material.scattering)
    assert len(AIR) == len(BEHIND) == len(BANDS) and (np.diff(AIR) > 0).all()


def test_names_are_unique_and_found():
    assert [material_index(material.name) for material in MATERIALS] == list(range(len(MATERIALS)))


def test_an_unknown_material_is_refused_with_those_there_are():
    with pytest.raises(OptionError, match=r"'velvet'.*plaster, brick"):
        material_index("velvet")
