"""Biases by relative position against a loop over all pairs, and the keeping of them."""

import pytest
import torch
import torch.nn.functional as F

from avsnet.models.midas import relative_position as midas_relative_position
from avsnet.models.midas.relative_position import RelativePosition, relative_position_index

SIDE, HEADS, BLOCKS = 3, 2, 2


@pytest.fixture
def positions():
    module = RelativePosition(SIDE, HEADS, BLOCKS)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for table in module.tables:
            table.copy_(torch.randn(table.shape, generator=generator))
    return module


def by_loops(table, grid):
    """(1, heads, 1 + N, 1 + N) of one table, pair by pair."""
    rows, columns = grid
    side = 2 * SIDE - 1
    near = table[:-3].T.reshape(1, HEADS, side, side)
    near = F.interpolate(near, (2 * rows - 1, 2 * columns - 1), mode="bilinear", align_corners=False)[0]
    places = [(y, x) for y in range(rows) for x in range(columns)]
    bias = torch.zeros(1, HEADS, 1 + len(places), 1 + len(places))
    for i, (y, x) in enumerate(places, start=1):
        for j, (v, u) in enumerate(places, start=1):
            bias[0, :, i, j] = near[:, y - v + rows - 1, x - u + columns - 1]
        bias[0, :, 0, i], bias[0, :, i, 0] = table[-3], table[-2]
    bias[0, :, 0, 0] = table[-1]
    return bias


@pytest.mark.parametrize("grid", [(3, 3), (2, 5), (1, 1)])
@pytest.mark.parametrize("training", [False, True])
def test_biases_equal_a_loop_over_all_pairs_of_tokens(positions, grid, training):
    with torch.set_grad_enabled(training):
        found = list(positions(grid))
    assert len(found) == BLOCKS
    for bias, table in zip(found, positions.tables, strict=True):
        assert torch.allclose(bias, by_loops(table.detach(), grid), atol=1e-6)


def test_on_the_grid_of_training_the_table_is_taken_as_it_is(positions):
    index = relative_position_index((SIDE, SIDE), torch.device("cpu"))
    with torch.no_grad():
        for bias, table in zip(positions((SIDE, SIDE)), positions.tables, strict=True):
            assert torch.equal(bias[0], table.T[:, index])


def test_biases_are_made_once_per_size_and_again_when_a_weight_changes_in_any_way(positions):
    made = []
    biases = positions._biases
    positions._biases = lambda *arguments: made.append(arguments) or biases(*arguments)
    with torch.no_grad():
        first = positions((2, 5))
        assert positions((2, 5)) is first
        assert len(made) == 1
        positions((3, 3))
        assert len(made) == 2
        positions((2, 5))
        positions.tables[1].data[0, 0] += 1.0
        assert not torch.equal(positions((2, 5))[1], first[1])
        assert len(made) == 4
        positions.load_state_dict({key: value + 1.0 for key, value in positions.state_dict().items()})
        positions((2, 5))
        positions.double()
        assert positions((2, 5))[0].dtype == torch.float64
        assert len(made) == 6
    with torch.inference_mode():
        positions((2, 5))
    assert len(made) == 6


def test_biases_kept_from_inference_never_stop_a_gradient(positions):
    with torch.inference_mode():
        positions((2, 2))
    sum(bias.square().sum() for bias in positions((2, 2))).backward()
    assert all(table.grad.any() for table in positions.tables)


def test_kept_biases_are_no_weights_and_large_ones_are_not_kept(positions, monkeypatch):
    names = set(positions.state_dict())
    with torch.no_grad():
        assert isinstance(positions((2, 2)), list)
        assert set(positions.state_dict()) == names == {f"tables.{block}" for block in range(BLOCKS)}
        monkeypatch.setattr(midas_relative_position, "KEPT", 4 * BLOCKS * HEADS * 25 - 1)
        large = list(positions((2, 2)))
        assert positions._kept is None
        assert torch.allclose(large[0], by_loops(positions.tables[0], (2, 2)), atol=1e-6)
