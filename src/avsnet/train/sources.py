"""What a run's sources give: samples to validate by, and rows that vary from epoch to epoch to train on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from avsnet.audio.range_axis import RangeAxis
from avsnet.data.reading import Reading
from avsnet.data.registry import OpenedData, open_data
from avsnet.data.sample import SAMPLE_KEYS, check_sample
from avsnet.data.transforms import flip, jitter, zoomed
from avsnet.data.triplets import TRIPLET_KEYS
from avsnet.errors import AvsnetError, DataError, OptionError, SampleError, TrainingError, UnusableError
from avsnet.geometry import ASSUMED_FOV, intrinsics_from_fov
from avsnet.train.config import DataConfig
from avsnet.train.recording_noise import suffered
from avsnet.train.sampler import CHANCE, SHUFFLE, STAND_IN, Draw, generator
from avsnet.train.triplets import open_triplets

_KEYS = [key for key in SAMPLE_KEYS if key != "echo"]  # which networks make
_TRIES = 16  # rows tried in the place of one that cannot be read or used

UNREADABLE_ADVICE = "see whether the data set is whole (avsnet check)"
UNUSABLE_ADVICE = "film while the camera moves, and in the light, or give a larger data.interval"


def open_source(source: str, split: str, config: DataConfig, zoom: float = 1.0) -> OpenedData:
    """Open what a source names.

    Args:
        source: `NAME:WHERE`, or a folder that is recognised, as `avsnet.data.registry` has them.
        split: "train", "val" or "test"; sources without splits are all there is.
        config: size, cap, range axis and what is read.
        zoom: pictures are read so many times larger.

    Returns:
        A map-style data set of samples with depth.

    Raises:
        OptionError: no such form, or none that gives what is wanted.
        DataError: the data set is not as published.
    """
    return open_data(source, reading_of(config, split, zoom))


def present(config: DataConfig) -> tuple[DataConfig, list[str]]:
    """The settings with those sources that there are, and a line for each that is left out.

    Args:
        config: of whose sources in `may_lack` the last part, behind a colon, is a folder; the others are there, or
            opening them says what is wrong.

    Raises:
        OptionError: there would be none left.
    """
    lacking = {source for source in config.may_lack if not Path(source.rpartition(":")[2]).exists()}
    if not lacking:
        return config, []
    train, val, may_lack = (
        [source for source in sources if source not in lacking]
        for sources in (config.train, config.val, config.may_lack)
    )
    for name, before, left in (("train", config.train, train), ("val", config.val, val)):
        if before and not left:
            raise OptionError(f"{before[0]}: is not on this disk, and there is no other source in data.{name}")
    gone = [source for source in dict.fromkeys([*config.train, *config.val]) if source in lacking]
    lines = [f"{source}: not on this disk; the run goes on without it" for source in gone]
    return replace(config, train=train, val=val, may_lack=may_lack), lines


def reading_of(config: DataConfig, split: str, zoom: float = 1.0) -> Reading:
    """How a config wants the samples of a split, pictures `zoom` times as large; next to triplets nothing is heard."""
    wanted_keys = {"image": config.sees, "waveform": config.hears and config.interval is None, "depth": True}
    return Reading(
        split,
        (round(zoom * config.size[0]), round(zoom * config.size[1])),
        config.cap,
        RangeAxis(config.samples, config.align),
        tuple(key for key, is_wanted in wanted_keys.items() if is_wanted),
        leave_out=config.leave_out,
        cache=config.cache,
        oversample=config.oversample,
        rigs=config.rigs if split == "train" else 1,
    )


def training_data(source: str, config: DataConfig) -> tuple[Dataset[dict[str, Any]], Sequence[str]]:
    """What a source gives to train on, samples or with `interval` triplets, and lines that say what it holds.

    Raises:
        AvsnetError: as `open_source` and `open_triplets`.
    """
    if config.interval is None:
        return open_source(source, "train", config, config.zoom).data, ()
    found = open_triplets(source, reading_of(config, "train"), config)
    return found, found.remarks


class ShuffledEchoes(Dataset[dict[str, Any]]):
    """Every sample with the echo of another one: the control for whatever echoes are said to give.

    Args:
        dataset: of samples; two at least.
        seed: draws who gets whose echo; nobody keeps their own.

    Attributes:
        giver: whose echo each row gets.
    """

    def __init__(self, dataset: Dataset[dict[str, Any]], seed: int) -> None:
        self.dataset = dataset
        # One ring through all rows, so that no row is its own neighbour.
        ring = torch.randperm(len(self), generator=generator(seed, SHUFFLE)).tolist()
        if len(ring) < 2:
            raise OptionError("data.shuffle_echoes: one row alone has no other's echo to get")
        self.giver = dict(zip(ring, [*ring[1:], ring[0]], strict=True))

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, row: int) -> dict[str, Any]:
        sample, other = dict(self.dataset[row]), self.dataset[self.giver[row]]
        return sample | {key: other[key] for key in ("waveform", "sample_rate", "echo") if key in other}


class TrainingRows(Dataset[dict[str, Any]]):
    """What is trained on: rows that vary from epoch to epoch, by chance that seed, epoch and row alone decide.

    A row that cannot be read gives its place to the next that can, and says so in `replaced`; one that teaches nothing
    gives it to a row that is drawn, as such rows come in a row, and says so in `unusable`. All processes then make the
    same number of steps, of batches of the same size.

    Of a triplet the colours of `seen`, `seen_earlier` and `seen_later` are varied, alike in all three; image, earlier
    and later stay as they are, as what is seen is compared with what was there.

    Each process checks its first sample against the contract.

    Args:
        dataset: of samples.
        config: the probabilities, and which keys are wanted.
        seed: of the run.
    """

    def __init__(self, dataset: Dataset[dict[str, Any]], config: DataConfig, seed: int) -> None:
        self.dataset, self.config, self.seed = dataset, config, seed
        self._checked = False

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        """One sample.

        Args:
            draw: the epoch, and the row.

        Raises:
            TrainingError: neither the row nor any of those in its place can be read and used, or a sample is none of
                the contract.
        """
        epoch, row = draw
        sample, reasons = self._readable(epoch, row)
        self._check(sample)
        chance = generator(self.seed, CHANCE, epoch, row)
        mirrored, coloured = torch.rand(2, generator=chance).tolist()
        if self.config.zoom > 1.0:
            share, *place = torch.rand(3, generator=chance).tolist()
            size = (self.config.size[0], self.config.size[1])
            # Squared: most pictures are nearly whole, as those that will be asked about.
            sample = zoomed(sample, size, self.config.zoom ** -(share**2), (place[0], place[1]))
        if mirrored < self.config.flip:
            sample = flip(sample)
        if self.config.focal:
            sample["intrinsics"] = with_other_focal(sample["intrinsics"], self.config.focal, chance)
        names = [name for name in ("image", "earlier", "later") if name in sample]
        if names:
            # Side by side they are one picture, of one draw.
            seen = torch.cat([sample[name] for name in names], dim=-1)
            seen = jitter(seen, chance) if coloured < self.config.jitter else seen
            into = names if names == ["image"] else ["seen", "seen_earlier", "seen_later"]
            sample |= dict(zip(into, seen.chunk(len(names), dim=-1), strict=True))
        if self.config.noise and "waveform" in sample:
            sample["waveform"] = suffered(sample["waveform"], sample["sample_rate"], chance, self.config.noise)
        return sample | reasons

    def _check(self, sample: dict[str, Any]) -> None:
        if not self._checked:
            try:
                check_sample(sample)
            except SampleError as error:
                raise TrainingError(f"{sample['id']}: the data set breaks the contract of samples: {error}") from None
            self._checked = True

    def _readable(self, epoch: int, row: int) -> tuple[dict[str, Any], dict[str, str]]:
        drawn = generator(self.seed, STAND_IN, epoch, row)
        replaced: list[str] = []
        unusable: list[str] = []
        for _ in range(min(_TRIES, len(self))):
            try:
                sample = wanted(self.dataset[row], self.config)
            except UnusableError as error:
                unusable.append(str(error))
                row = int(torch.randint(len(self), (), generator=drawn))
            except AvsnetError as error:
                replaced.append(str(error))
                row = (row + 1) % len(self)
            else:
                return sample, {"replaced": " | ".join(replaced), "unusable": " | ".join(unusable)}
        reasons = [*replaced, *unusable]
        what = "teach nothing or cannot be read" if unusable else "cannot be read"
        advice = UNUSABLE_ADVICE if unusable else UNREADABLE_ADVICE
        raise TrainingError(f"{len(reasons)} rows in a row {what}, the first of them: {reasons[0]}; {advice}")


class ValidationRows(Dataset[dict[str, Any]]):
    """What is validated by: rows as they are, or every so many of them where several processes share the work."""

    def __init__(self, dataset: Dataset[dict[str, Any]], config: DataConfig, rank: int = 0, processes: int = 1) -> None:
        self.dataset, self.config = dataset, config
        self.rows = range(rank, len(dataset), processes)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return wanted(self.dataset[self.rows[place]], self.config)


def with_other_focal(intrinsics: Tensor, spread: float, chance: torch.Generator) -> Tensor:
    """(3, 3) pixels, both focal lengths times one factor whose logarithm has this spread."""
    other = intrinsics.clone()
    other[:2, :2] *= torch.exp(spread * torch.randn((), generator=chance))
    return other


def wanted(sample: Mapping[str, Any], config: DataConfig) -> dict[str, Any]:
    """The entries that training uses, so that samples of different sources make one batch.

    Where no camera is known one is assumed.

    Raises:
        DataError: there is no depth to learn from.
    """
    if "earlier" in sample:
        return {key: sample[key] for key in TRIPLET_KEYS}
    if "depth" not in sample:
        raise DataError(f"{sample['id']}: has no depth; training needs it")
    if "intrinsics" not in sample:
        height, width = sample["depth"].shape[-2:]
        assumed = intrinsics_from_fov(width, height, ASSUMED_FOV)
        sample = {**sample, "intrinsics": torch.from_numpy(assumed).float()}
    left_out = (set() if config.sees else {"image"}) | (set() if config.hears else {"waveform", "sample_rate"})
    return {key: sample[key] for key in _KEYS if key in sample and key not in left_out}
