"""BEiT's attention bias by relative position, for any size of picture."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SPECIAL = 3  # the last rows of a table: class token to patch, patch to class token, class token to itself
KEPT = 2**30
"""Bytes up to which the biases of a size are kept. BEiT-L takes 0.9 GB at 384x512, where making them takes about a
tenth of a pass; a larger picture's are made block by block, each time."""


class RelativePosition(nn.Module):
    """One table of biases per block, learnt on a square grid of patches and stretched to the grid at hand.

    The biases of the last size are kept as long as no table changes, but not where gradients must reach the tables.

    Args:
        side: patches along a side of the grid of training.
        heads: of the attention.
        blocks: of the network.
    """

    def __init__(self, side: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.side = side
        rows = (2 * side - 1) ** 2 + SPECIAL
        self.tables = nn.ParameterList(torch.zeros(rows, heads) for _ in range(blocks))
        self._kept: tuple[tuple[object, ...], Tensor, list[Tensor]] | None = None

    def forward(self, grid: tuple[int, int]) -> Iterable[Tensor]:
        """The bias of each block, added to the scaled scores before their softmax.

        Args:
            grid: (rows, columns) of patches.

        Returns:
            One (1, heads, 1 + N, 1 + N) per block, N = rows * columns, the class token first: [i, j] is for the query
            at i and the key at j.
        """
        tables = torch.stack(list(self.tables))
        passing = torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.jit.is_tracing()
        if passing or tables.shape[0] * tables.shape[2] * (1 + grid[0] * grid[1]) ** 2 * tables.element_size() > KEPT:
            self._kept = None
            return self._biases(tables, grid)
        key = (grid, tables.dtype, tables.device)
        # The tables are small: to compare them is cheaper than to know of every way in which weights change.
        if self._kept is None or self._kept[0] != key or not torch.equal(self._kept[1], tables):
            self._kept = key, tables, list(self._biases(tables, grid))
        return self._kept[2]

    def _biases(self, tables: Tensor, grid: tuple[int, int]) -> Iterable[Tensor]:
        """(blocks, rows, heads) of the grid of training -> the bias of each block, made when its turn comes."""
        side, sizes = 2 * self.side - 1, (2 * grid[0] - 1, 2 * grid[1] - 1)
        tables = tables.transpose(1, 2).flatten(0, 1)
        apart = tables[:, :-SPECIAL].unflatten(1, (side, side))
        apart = F.interpolate(apart[None], sizes, mode="bilinear", align_corners=False)[0].flatten(1)
        stretched = torch.cat([apart, tables[:, -SPECIAL:]], dim=1).unflatten(0, (len(self.tables), -1))
        index = relative_position_index(grid, tables.device)
        return (table.index_select(1, index.flatten()).unflatten(1, index.shape)[None] for table in stretched)


def relative_position_index(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Which row of a table tells how two tokens lie to each other.

    Args:
        grid: (rows, columns) of patches, for a table of (2 rows - 1) (2 columns - 1) + 3 rows.
        device: where to put it.

    Returns:
        (1 + N, 1 + N) int64, the class token first: [i, j] is for the query at i and the key at j.
    """
    rows, columns = torch.meshgrid(*(torch.arange(n, device=device) for n in grid), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    down, right = rows[:, None] - rows + grid[0] - 1, columns[:, None] - columns + grid[1] - 1
    index = F.pad(down * (2 * grid[1] - 1) + right, (1, 0, 1, 0))
    apart = (2 * grid[0] - 1) * (2 * grid[1] - 1)
    index[0, :], index[:, 0] = apart, apart + 1
    index[0, 0] = apart + 2
    return index
