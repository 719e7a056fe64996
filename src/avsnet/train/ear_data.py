"""The batches of the ear's training: features of simulated rooms and half-real pairs, made once, then in memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from avsnet.errors import OptionError
from avsnet.rooms.preset import DOMAINS
from avsnet.rooms.workers import spread
from avsnet.train.config import TrainConfig
from avsnet.train.datamodule import TrainingLoader
from avsnet.train.ear_features import HEARINGS, features_of
from avsnet.train.ear_pairs import Origin, nyu_training
from avsnet.train.sampler import CHANCE, Draw, EpochSampler, Order, mixed_seed

TARGETS = ("median", "factor")
"""What the ear may aim at: the ratio of medians, or the one factor with the least mean relative error."""

_LEVEL_JITTER, _NOISE = 0.1, 0.1  # deviations added to a hearing's channels: of all of them, of each value
_CELL, _RAREST = 0.25, 3.0  # of log median depth; the largest weight over the least
_CONTINUOUS = 16  # channels of the echo before the mask


def origins(source: str) -> list[Origin]:
    """The rooms or pictures of a source.

    Args:
        source: `rooms:DOMAIN:FIRST-LAST`, or `nyu:ROOT`, which is the training split of NYU Depth's labelled pictures.

    Raises:
        OptionError: another text.
        DataError: the pictures are not there.
    """
    rooms = re.fullmatch(rf"rooms:({'|'.join(DOMAINS)}):(\d+)-(\d+)", source)
    if rooms is not None:
        return [Origin(rooms[1], seed) for seed in range(int(rooms[2]), int(rooms[3]) + 1)]  # type: ignore[arg-type]
    if source.startswith("nyu:"):
        root = source.removeprefix("nyu:")
        return [Origin("nyu", number, root) for number in nyu_training(root)]
    raise OptionError(f"source {source!r}: the ear learns from rooms:DOMAIN:FIRST-LAST and nyu:ROOT")


class EarRows(Dataset[dict[str, Tensor]]):
    """Every version of every pair's map, each time with a hearing of the pair drawn anew.

    Args:
        sources: as `origins` takes them.
        config: of the run.
        varied: whether hearings are varied: in training.
    """

    def __init__(self, sources: Sequence[str], config: TrainConfig, varied: bool) -> None:
        target, models = target_of(config), tuple(config.model.options.get("maps", ()))
        folder = config.data.cache or f"{config.out}/cache"
        todo = [(one, folder, models) for source in sources for one in origins(source)]
        # On disk: workers send nothing back.
        deque(tqdm(spread(_make, todo, max(1, config.data.workers)), "features", len(todo), disable=None), maxlen=0)
        found = [(origin.kind, one) for origin, *_ in todo for one in features_of(origin, folder, models)]
        if not found:
            raise OptionError(f"{', '.join(sources)}: no pair whose echo can be heard")
        self.echo, self.rig, self.map, self.numbers = (
            np.stack([getattr(one, name) for _, one in found]) for name in ("echo", "rig", "map", "numbers")
        )
        self.targets = np.stack([one.targets for _, one in found])[..., target]
        self.kinds = np.array([kind for kind, _ in found])
        self.rows = np.argwhere(np.isfinite(self.targets))
        self.weights = rarity(self.targets)
        self.seed, self.varied = config.seed, varied

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, draw: Draw) -> dict[str, Tensor]:
        """A map with its echo: echo (17, U), rig (4,), map (14, V), numbers (12,), target (), weight (), kind ()."""
        epoch, row = draw
        pair, version = self.rows[row]
        rng = np.random.default_rng(mixed_seed(self.seed, CHANCE, epoch, row))
        hearing = rng.integers(HEARINGS) if self.varied else version % HEARINGS
        echo = self.echo[pair, hearing].astype(np.float32)
        if self.varied:
            jitter = rng.normal(0.0, _LEVEL_JITTER, (_CONTINUOUS, 1)) + rng.normal(0.0, _NOISE, (_CONTINUOUS, 1)) * (
                rng.standard_normal((_CONTINUOUS, echo.shape[1]))
            )
            echo[:_CONTINUOUS] += (jitter * echo[_CONTINUOUS]).astype(np.float32)
        return {
            "echo": torch.from_numpy(echo),
            "rig": torch.from_numpy(self.rig[pair, hearing]),
            "map": torch.from_numpy(self.map[pair, version].astype(np.float32)),
            "numbers": torch.from_numpy(self.numbers[pair, version]),
            "target": torch.tensor(self.targets[pair, version]),
            "weight": torch.tensor(self.weights[pair, version]),
            "kind": torch.tensor(("offices", "historic", "nyu").index(self.kinds[pair])),
        }


def rarity(targets: np.ndarray) -> np.ndarray:
    """Weights, 1 on average, that make near desks and large halls count more than rooms of the usual size.

    Args:
        targets: (...) log of median depths, NaN where unknown.

    Returns:
        (...) float32, one over the root of how common a depth is, at most 3 times that of the most common; 0 where
        unknown.
    """
    known = np.isfinite(targets)
    cells = np.where(known, np.floor(targets / _CELL), 0.0).astype(int)
    cells -= cells.min()
    counts = np.bincount(cells[known])
    found = np.minimum(np.sqrt(counts.max() / np.maximum(counts[cells], 1)), _RAREST)
    return np.where(known, found / found[known].mean(), 0.0).astype(np.float32)


def target_of(config: TrainConfig) -> int:
    """Which of `TARGETS` the run aims at.

    Raises:
        OptionError: another one.
    """
    name = config.model.options.get("target", TARGETS[1])
    if name not in TARGETS:
        raise OptionError(f"model.options.target {name!r} is none of {', '.join(TARGETS)}")
    return TARGETS.index(name)


class EarData(LightningDataModule):
    """What the ear trains on and is calibrated by.

    Args:
        config: of the run.

    Attributes:
        order: which rows belong to which step.
        steps: in all.
        validation: rows that are not trained on.
    """

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        if not config.data.train or not config.data.val:
            raise OptionError("data.train, data.val: the ear needs both, such as rooms:offices:0-1399")
        self.config = config
        self.training = EarRows(config.data.train, config, varied=True)
        self.validation = EarRows(config.data.val, config, varied=False)
        processes = config.devices * config.nodes
        self.order = Order(len(self.training), config.data.batch_size, processes * config.accumulate, config.seed)
        self.steps = config.steps or config.epochs * self.order.steps_per_epoch

    def train_dataloader(self) -> TrainingLoader:
        """All batches of this process."""
        rank = self.trainer.global_rank if self.trainer else 0
        sampler = EpochSampler(self.order, self.config.accumulate, rank)
        loader = DataLoader(self.training, batch_sampler=sampler, collate_fn=_by_kind)
        return TrainingLoader(loader, sampler, self.steps)  # type: ignore[arg-type]

    def validation_batches(self) -> DataLoader[dict[str, Tensor]]:
        """The validation rows, once through."""
        rows = [
            [(0, row) for row in range(first, min(first + 64, len(self.validation)))]
            for first in range(0, len(self.validation), 64)
        ]
        return DataLoader(self.validation, batch_sampler=rows)


def _make(task: tuple[Origin, str, tuple[str, ...]]) -> None:
    features_of(*task)


def _by_kind(samples: list[dict[str, Tensor]]) -> dict[str, Any]:
    """A batch whose neighbours are alike: a map's unrelated echo is its neighbour's, and must not be told by kind."""
    samples.sort(key=lambda sample: int(sample["kind"]))
    batch: dict[str, Any] = {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}
    return batch | {"replaced": [], "unusable": [], "id": [f"kind {int(sample['kind'])}" for sample in samples]}
