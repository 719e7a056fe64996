"""The order of samples, as a pure function of seed, epoch and step.

Nothing is remembered: a run that goes on at step 1234 asks for the rows of step 1234. And nothing depends on how many
processes there are: a step's rows are cut into parts, each of which is one forward pass of one process.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler

from avsnet.errors import OptionError

Draw = tuple[int, int]
"""What is asked of the training rows: the epoch, by which chance is drawn, and the place of the row."""


ORDER, CHANCE, NETWORK, SHUFFLE, STAND_IN = 1, 2, 3, 4, 5
"""What a stream of random numbers is for: the second number of its key, after the run's seed."""


def generator(*key: int) -> torch.Generator:
    """A generator whose stream depends on all of the numbers of its key, and on nothing else.

    >>> torch.equal(torch.rand(3, generator=generator(0, ORDER, 7)), torch.rand(3, generator=generator(0, ORDER, 7)))
    True
    """
    return torch.Generator().manual_seed(mixed_seed(*key))


def mixed_seed(*key: int) -> int:
    """One seed of the numbers of a key; keys that differ in more than zeros at their end have streams of their own."""
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True)
class Order:
    """Which rows belong to which step, and which of them to which part.

    Attributes:
        rows: of the data set.
        batch_size: rows a step, of all processes together.
        parts: forward passes a step: processes times accumulation.
        seed: draws the order.

    Raises:
        OptionError: the rows do not fill one batch, or a batch cannot be cut into equal parts.
    """

    rows: int
    batch_size: int
    parts: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size % self.parts:
            raise OptionError(
                f"data.batch_size {self.batch_size} cannot be cut into {self.parts} equal parts, one for each process "
                "and turn of accumulation; give a multiple as --data.batch-size"
            )
        if self.rows < self.batch_size:
            raise OptionError(
                f"data.batch_size {self.batch_size} is more than the {self.rows} rows there are to train on; give a "
                f"smaller one, such as --data.batch-size {max(1, self.rows // 2)}"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Full batches; what is left over has its turn in another epoch, as each has its own order."""
        return self.rows // self.batch_size

    def epoch(self, epoch: int) -> list[int]:
        """All rows in the order of this epoch."""
        return torch.randperm(self.rows, generator=generator(self.seed, ORDER, epoch)).tolist()

    def part(self, order: list[int], step: int, part: int) -> list[int]:
        """The rows of one part of one step, counted within the epoch of that order."""
        size = self.batch_size // self.parts
        start = step * self.batch_size + part * size
        return order[start : start + size]


class EpochSampler(Sampler[list[Draw]]):
    """What one process reads in one epoch, as the batch sampler of a `DataLoader`.

    With two processes, or with one that accumulates two parts, the same parts are made of the same rows.

    Args:
        order: of the rows.
        accumulate: parts that each process takes a step, one after the other.
        rank: of this process.

    Attributes:
        epoch: the epoch that iterating gives.
        start: the first step of it that iterating gives.
    """

    def __init__(self, order: Order, accumulate: int = 1, rank: int = 0) -> None:
        self.order, self.accumulate, self.rank = order, accumulate, rank
        self.epoch, self.start = 0, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        rows = self.order.epoch(self.epoch)
        processes = self.order.parts // self.accumulate
        for step in range(self.start, self.order.steps_per_epoch):
            for turn in range(self.accumulate):
                yield [(self.epoch, row) for row in self.order.part(rows, step, turn * processes + self.rank)]

    def __len__(self) -> int:
        return (self.order.steps_per_epoch - self.start) * self.accumulate
