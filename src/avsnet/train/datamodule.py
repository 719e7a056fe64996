"""The batches of a run: of training one long row that can be entered at any step, of validation once through."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

from lightning import LightningDataModule
from torch.utils.data import ConcatDataset, Dataset

from avsnet.data.loading import SampleLoader
from avsnet.errors import DataError, OptionError
from avsnet.train.config import TrainConfig
from avsnet.train.sampler import EpochSampler, Order
from avsnet.train.sources import (
    UNREADABLE_ADVICE,
    UNUSABLE_ADVICE,
    ShuffledEchoes,
    TrainingRows,
    ValidationRows,
    open_source,
    training_data,
)

_TOLERANCE = 0.01  # share of an epoch's rows that may be unreadable
_UNUSABLE = 0.5  # and share of those that may teach nothing
_NAMED = 5  # reasons in one message


class DepthData(LightningDataModule):
    """What a run trains on and is validated by.

    Args:
        config: of the run.
        processes: that share the work.

    Attributes:
        remarks: lines that say what the sources hold, such as how many triplets.
        order: which rows belong to which step.
        caps: of each validation source, metres.
        steps: in all.
    """

    def __init__(self, config: TrainConfig, processes: int = 1) -> None:
        super().__init__()
        self.config, self.processes = config, processes
        if not config.data.train:
            raise OptionError("data.train is empty; give sources such as batvision_v2:ROOT")
        trained = [training_data(source, config.data) for source in config.data.train]
        self.remarks = [line for _, remarks in trained for line in remarks]
        self._train: ConcatDataset[dict[str, Any]] = ConcatDataset([self._shuffled(data) for data, _ in trained])
        validated = {source: open_source(source, "val", config.data) for source in config.data.val}
        self._val = {source: self._shuffled(opened.data) for source, opened in validated.items()}
        self.caps = {source: opened.cap for source, opened in validated.items()}
        rows = len(self._train)
        self.order = Order(rows, config.data.batch_size, processes * config.accumulate, config.seed)
        self.steps = config.steps or config.epochs * self.order.steps_per_epoch

    def setup(self, stage: str) -> None:
        """Print the remarks, once, when a run begins."""
        if self.trainer is None or self.trainer.is_global_zero:
            for line in self.remarks:
                print(line, file=sys.stderr, flush=True)

    def train_dataloader(self) -> TrainingLoader:
        """All batches of this process."""
        config = self.config
        rank = self.trainer.global_rank if self.trainer else 0
        sampler = EpochSampler(self.order, config.accumulate, rank)
        rows = TrainingRows(self._train, config.data, config.seed)
        return TrainingLoader(SampleLoader(rows, batch_sampler=sampler, **self._workers()), sampler, self.steps)

    def validation_loaders(self, rank: int = 0) -> dict[str, SampleLoader]:
        """The batches of this process by which the network is validated, of each source."""
        batch_size = max(1, self.config.data.batch_size // self.order.parts)
        return {
            source: SampleLoader(
                ValidationRows(dataset, self.config.data, rank, self.processes), batch_size, **self._workers(False)
            )
            for source, dataset in self._val.items()
        }

    def first(self, count: int) -> list[dict[str, Any]]:
        """The first readable samples of the first validation source, for pictures."""
        for dataset in self._val.values():
            rows = ValidationRows(dataset, self.config.data)
            loader = SampleLoader(_First(rows, count), tolerance=1.0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # validation itself warns of what cannot be read
                return list(loader)
        return []

    def _shuffled(self, dataset: Dataset[dict[str, Any]]) -> Dataset[dict[str, Any]]:
        return ShuffledEchoes(dataset, self.config.seed) if self.config.data.shuffle_echoes else dataset

    def _workers(self, persistent: bool = True) -> dict[str, Any]:
        import torch

        workers = self.config.data.workers
        return {
            "num_workers": workers,
            "persistent_workers": persistent and workers > 0,
            "pin_memory": torch.cuda.is_available() and self.config.accelerator != "cpu",
        }


class _First(Dataset[dict[str, Any]]):
    def __init__(self, dataset: ValidationRows, count: int) -> None:
        self.dataset, self.count = dataset, min(count, len(dataset))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.dataset[row]


class TrainingLoader:
    """The batches of all epochs, one after the other, from the step on at which it is entered.

    Args:
        loader: gives the batches of the sampler's epoch.
        sampler: of that loader.
        steps: in all.

    Attributes:
        batches: handed out so far, those before the entry too.
        waited: seconds that the taker has waited for them.
        replaced: rows of the epoch under way that could not be read and gave their place to another.
        unusable: those that could, but taught nothing.
    """

    def __init__(self, loader: SampleLoader, sampler: EpochSampler, steps: int) -> None:
        self.loader, self.sampler, self.steps = loader, sampler, steps
        self.batches, self.waited = 0, 0.0
        self.replaced: list[str] = []
        self.unusable: list[str] = []

    def __len__(self) -> int:
        """Batches of the whole run."""
        return self.steps * self.sampler.accumulate

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches from the entry on.

        Raises:
            DataError: more than 1 % of an epoch's rows cannot be read, or more than half of them teach nothing.
        """
        whole = self.sampler.order.steps_per_epoch * self.sampler.accumulate
        while self.batches < len(self):
            step = self.batches // self.sampler.accumulate
            self.sampler.epoch, self.sampler.start = divmod(step, self.sampler.order.steps_per_epoch)
            self.replaced, self.unusable = [], []
            asked = time.perf_counter()
            for batch in self.loader:
                self.waited += time.perf_counter() - asked
                self._count(batch.pop("replaced"), batch.pop("unusable"))
                self.batches += 1
                if self.batches % whole == 0 or self.batches == len(self):
                    self._warn()  # before the batch: after the last one nobody asks again
                yield batch
                if self.batches == len(self):
                    break
                asked = time.perf_counter()

    def state_dict(self) -> dict[str, int]:
        """Where to enter again."""
        return {"batches": self.batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Enter there."""
        self.batches = state["batches"]

    def _count(self, replaced: list[str], unusable: list[str]) -> None:
        self.replaced += [reason for reason in replaced if reason]
        self.unusable += [reason for reason in unusable if reason]
        rows = self.sampler.order.rows
        limits = ((_TOLERANCE, UNREADABLE_ADVICE), (_UNUSABLE, UNUSABLE_ADVICE))
        for (reasons, what), (share, advice) in zip(self._kinds(), limits, strict=True):
            if len(reasons) > share * rows:
                raise DataError(f"{_named(reasons, what)}; that is more than {share:.0%} of {rows} rows: {advice}")

    def _warn(self) -> None:
        for reasons, what in self._kinds():
            if reasons:
                warnings.warn(_named(reasons, what), stacklevel=3)

    def _kinds(self) -> tuple[tuple[list[str], str], ...]:
        return (self.replaced, "cannot be read"), (self.unusable, "teach nothing")


def _named(reasons: list[str], what: str) -> str:
    more = f" | and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return f"{len(reasons)} rows {what}, others stand in: {' | '.join(reasons[:_NAMED])}{more}"
