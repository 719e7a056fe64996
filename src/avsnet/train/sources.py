"""Where samples come from, by a short name: `batvision_v2:ROOT`, `rooms:historic:0-1999`, `folder:ROOT`.

With `data.interval` they give triplets to train on; `train.triplets` opens those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.data import Dataset

from avsnet.data.rows import DIRECT_AT, SAMPLES
from avsnet.data.transforms import flip, jitter
from avsnet.data.triplets import TRIPLET_KEYS
from avsnet.errors import AvsnetError, DataError, OptionError, TrainingError, UnusableError
from avsnet.train.config import DataConfig
from avsnet.train.sampler import CHANCE, SHUFFLE, STAND_IN, Draw, generator
from avsnet.train.triplets import open_rooms, open_triplets

KINDS = ("batvision_v1:ROOT", "batvision_v2:ROOT", "folder:ROOT", "rooms:DOMAIN:FIRST-LAST", "frames:ROOT")
"""The forms that a source can have."""

_KEYS = ("image", "waveform", "sample_rate", "depth", "valid", "id")
_TRIES = 16  # rows tried in the place of one that cannot be read or used

MEND_UNREADABLE = "see whether the data set is whole (avsnet check)"
MEND_UNUSABLE = "film while the camera moves, and in the light, or give a larger data.interval"


def open_source(source: str, split: str, config: DataConfig) -> Dataset[dict[str, Any]]:
    """Open what a source names.

    Args:
        source: one of the forms of `KINDS`.
        split: "train", "val" or "test", of BatVision; other sources are all there is.
        config: size, cap, range axis and what is read.

    Returns:
        A map-style data set of samples with depth; of triplets, where they are to be trained on.

    Raises:
        OptionError: no such form, or none that gives what is wanted.
        DataError: the data set is not as published.
    """
    kind, _, where = source.partition(":")
    if kind not in {form.partition(":")[0] for form in KINDS} or not where:
        raise OptionError(f"source {source!r} is none of {', '.join(KINDS)}")
    if config.interval is not None and split == "train":
        return open_triplets(source, config)
    if kind == "frames":
        raise OptionError(f"source {source!r}: frames have no depth; they serve data.train, with data.interval")
    size = (config.size[0], config.size[1])
    samples = SAMPLES if config.samples is None else config.samples
    align = DIRECT_AT if config.align is None else config.align if config.align >= 0 else None
    if kind == "rooms":
        # Beside triplets nothing is heard, and making sound is what takes time.
        samples = samples if config.interval is None else 0
        return open_rooms(source, config, cap=config.cap, samples=samples, align=align)
    if kind == "folder":
        from avsnet.data.folder import CaptureFolder

        cap = float("inf") if config.cap is None else config.cap
        return CaptureFolder(where, size=size, cap=cap, samples=samples, align=align, hears=config.hears)
    keys = [key for key, wanted in (("image", config.sees), ("waveform", config.hears), ("depth", True)) if wanted]
    options: dict[str, Any] = {"size": size, "samples": samples, "align": align, "keys": keys}
    if config.cap is not None:
        options["cap"] = config.cap
    if kind == "batvision_v1":
        from avsnet.data.batvision_v1 import BatVisionV1

        return BatVisionV1(where, split, **options)
    from avsnet.data.batvision_v2 import BatVisionV2

    return BatVisionV2(where, split, leave_out=config.leave_out, **options)


def source_cap(dataset: Any) -> float:
    """Metres beyond which depth does not count in a data set of `open_source`, and to which predictions are clamped."""
    return float(dataset.reader.cap if hasattr(dataset, "reader") else dataset.cap)


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

    Args:
        dataset: of samples.
        config: the probabilities, and which keys are wanted.
        seed: of the run.
    """

    def __init__(self, dataset: Dataset[dict[str, Any]], config: DataConfig, seed: int) -> None:
        self.dataset, self.config, self.seed = dataset, config, seed

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        """One sample.

        Args:
            draw: the epoch, and the row.

        Raises:
            TrainingError: neither the row nor any of those in its place can be read and used.
        """
        epoch, row = draw
        sample, reasons = self._readable(epoch, row)
        chance = generator(self.seed, CHANCE, epoch, row)
        mirrored, coloured = torch.rand(2, generator=chance).tolist()
        if mirrored < self.config.flip:
            sample = flip(sample)
        names = [name for name in ("image", "earlier", "later") if name in sample]
        if names:
            # Side by side they are one picture, of one draw.
            seen = torch.cat([sample[name] for name in names], dim=-1)
            seen = jitter(seen, chance) if coloured < self.config.jitter else seen
            into = names if names == ["image"] else ["seen", "seen_earlier", "seen_later"]
            sample |= dict(zip(into, seen.chunk(len(names), dim=-1), strict=True))
        return sample | reasons

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
        mend = MEND_UNUSABLE if unusable else MEND_UNREADABLE
        raise TrainingError(f"{len(reasons)} rows in a row {what}, the first of them: {reasons[0]}; {mend}")


class JudgedRows(Dataset[dict[str, Any]]):
    """What is judged by: rows as they are, or every so many of them where several processes share the work."""

    def __init__(self, dataset: Dataset[dict[str, Any]], config: DataConfig, rank: int = 0, processes: int = 1) -> None:
        self.dataset, self.config = dataset, config
        self.rows = range(rank, len(dataset), processes)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return wanted(self.dataset[self.rows[place]], self.config)


def wanted(sample: Mapping[str, Any], config: DataConfig) -> dict[str, Any]:
    """The entries that training uses, so that samples of different sources make one batch.

    Raises:
        DataError: there is no depth to learn from.
    """
    if "earlier" in sample:
        return {key: sample[key] for key in TRIPLET_KEYS}
    if "depth" not in sample:
        raise DataError(f"{sample['id']}: has no depth; training needs it")
    left_out = (set() if config.sees else {"image"}) | (set() if config.hears else {"waveform", "sample_rate"})
    return {key: sample[key] for key in _KEYS if key in sample and key not in left_out}
