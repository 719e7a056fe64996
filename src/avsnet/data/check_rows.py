"""What is measured in one row of a data set that is being checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr
import torch
from torch.utils.data import Dataset

from avsnet.audio.chirp import SAMPLE_RATE
from avsnet.audio.direct_sound import direct_sound
from avsnet.data.check_report import Report, RowReport
from avsnet.data.reading import Reading
from avsnet.data.sample import check_sample
from avsnet.errors import DataError, EchoError

if TYPE_CHECKING:
    from avsnet.data.registry import DataSetInfo

FULL_SCALE = 1.0 - 2.0**-15
"""A sample this large is clipped: the largest that 16 bits hold."""


@dataclass(frozen=True)
class Part:
    """Rows that are read alike.

    Attributes:
        split: of which they are.
        ids: of their samples, as far as they are known before reading.
        measure: called with a place and the row's report, which it fills in, or raises an `AvsnetError`.
    """

    split: str
    ids: Sequence[str]
    measure: Callable[[int, RowReport], None]


def sample_parts(info: DataSetInfo, where: str, report: Report) -> list[Part]:
    """The rows of a data set that has no check of its own: all samples of all splits, as in the files."""
    parts = []
    for split in info.splits or ("all",):
        try:
            data = info.open(where, Reading(split, cap=info.cap))
        except DataError as error:
            report.broken.append(str(error))
            continue
        ids = [f"{split}/{index}" for index in range(len(data))]  # type: ignore[arg-type]
        parts.append(Part(split, ids, partial(measure_sample, data)))
    return parts


def measure_sample(
    data: Dataset[dict[str, Any]], index: int, row: RowReport, *, template: np.ndarray | None = None
) -> None:
    """Fill in what a sample of the contract holds.

    Args:
        data: the samples.
        index: which.
        row: the report.
        template: (M,) what was played, at 44.1 kHz; None = the 3 ms sweep.

    Raises:
        AvsnetError: the sample cannot be read, or is none of the contract.
    """
    sample = data[index]
    row.id = sample.get("id", row.id)
    check_sample(sample)
    if "image" in sample:
        row.picture = pixels(sample["image"])
    if "depth" in sample:
        measure_depth(row, sample["depth"], sample["valid"])
    if "waveform" in sample:
        measure_sound(row, sample["waveform"].numpy(), sample["sample_rate"], template)


def measure_sound(row: RowReport, waveform: np.ndarray, sample_rate: int, template: np.ndarray | None = None) -> None:
    """Fill in what a recording (C, N) holds; `template` is as in `measure_sample`."""
    row.sample_rate, row.samples = sample_rate, waveform.shape[1]
    row.clipped = float(np.mean(np.abs(waveform) >= FULL_SCALE))
    if template is not None:
        template = soxr.resample(template, SAMPLE_RATE, sample_rate)
    # A row without a direct sound is readable; only readers that align leave it out.
    with suppress(EchoError):
        row.direct = direct_sound(waveform, sample_rate, template)


def measure_depth(row: RowReport, depth: torch.Tensor, valid: torch.Tensor) -> None:
    """Fill in what a depth map (1, H, W) in metres holds."""
    row.map, row.valid = pixels(depth), float(valid.float().mean())
    row.depth = float(np.median(depth[valid].numpy())) if valid.any() else None


def pixels(picture: torch.Tensor) -> str:
    """Width and height of a (C, H, W) tensor, as people write them."""
    return f"{picture.shape[2]} x {picture.shape[1]}"


def remark_repeats(report: Report, where: str, repeated: Sequence[str]) -> None:
    """Note rows that a table lists more than once."""
    if repeated:
        report.remarks.append(f"{where}: {len(repeated)} rows are listed again and count once, such as {repeated[0]}")
