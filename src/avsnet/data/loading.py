"""Batches of an epoch that no unreadable row ends.

Large data sets have broken files. Such a row is left out of its batch, counted, and named when the epoch is over; more
than one in a hundred of them means that something else is wrong, and stops.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from avsnet.data.sample import SAMPLE_KEYS
from avsnet.errors import AvsnetError, DataError, TrainingError

_TENSORS = [key for key, entry in SAMPLE_KEYS.items() if isinstance(entry.type, torch.dtype)]
_NAMED = 10  # reasons in one message; `SampleLoader.unreadable` has them all


@dataclass(frozen=True)
class Unreadable:
    """What stands in the place of a sample that could not be read.

    Attributes:
        index: its place in the data set.
        reason: one line that names the row or file and what is wrong with it.
        ends: whether the epoch ends here, however many rows may be unreadable.
    """

    index: int
    reason: str
    ends: bool = False


class SampleLoader(DataLoader[Any]):
    """A `DataLoader` that leaves unreadable rows out.

    A batch is short by its unreadable rows; a batch without a readable one is left out. At the end of an epoch one
    warning names the unreadable rows, and one counts the `notes` of the samples that were corrected.

    Args:
        dataset: gives samples by index, or raises an `AvsnetError` where it cannot; a `TrainingError` ends the epoch.
            Where it has a method `read`, as `rows.RowDataset` has, a batch is read by it at once.
        batch_size: rows per batch.
        tolerance: the share of the epoch's rows that may be unreadable.
        **options: those of `torch.utils.data.DataLoader`, but for `collate_fn`.

    Attributes:
        unreadable: the rows left out of the epoch under way, or of the last one.
        notes: what was corrected in it -> in how many rows.
    """

    def __init__(self, dataset: Dataset[Any], batch_size: int = 1, *, tolerance: float = 0.01, **options: Any) -> None:
        options["collate_fn"] = collate_readable
        super().__init__(_Guarded(dataset), batch_size, **options)
        self.tolerance = tolerance
        self.unreadable: list[Unreadable] = []
        self.notes: Counter[str] = Counter()

    def __iter__(self) -> Iterator[dict[str, Any]]:  # type: ignore[override]
        """The batches of one epoch.

        Yields:
            Batches of `avsnet.data.sample`, of at least one row.

        Raises:
            DataError: more rows than `tolerance` allows are unreadable, one of them ends the epoch, or the samples of a
                batch differ in shape.
        """
        self.unreadable, self.notes = [], Counter()
        rows = len(self.sampler)  # type: ignore[arg-type]
        for batch, unreadable in super().__iter__():
            self.unreadable += unreadable
            if len(self.unreadable) > self.tolerance * rows:
                raise DataError(
                    f"{self._named()}; that is more than {self.tolerance:.1%} of {rows} rows: see whether the data "
                    "set is whole, or remove these rows from its table"
                )
            if isinstance(batch, str):
                raise DataError(batch)
            if batch is not None:
                self.notes.update(note for notes in batch.get("notes", ()) for note in notes.split("; ") if note)
                yield batch
        if self.unreadable:
            warnings.warn(f"left out of {rows} rows: {self._named()}", stacklevel=2)
        if self.notes:
            corrected = "; ".join(f"{count} rows: {note}" for note, count in sorted(self.notes.items()))
            warnings.warn(f"corrected in {rows} rows: {corrected}", stacklevel=2)

    def _named(self) -> str:
        reasons = [row.reason for row in self.unreadable]
        more = f" | and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
        return f"{len(reasons)} rows cannot be read: {' | '.join(reasons[:_NAMED])}{more}"


def collate_readable(
    rows: Sequence[dict[str, Any] | Unreadable],
) -> tuple[dict[str, Any] | str | None, list[Unreadable]]:
    """Make a batch of the readable rows.

    Returns:
        The batch, None where there is nothing to put in it, or what keeps the samples from making one; and the
        unreadable rows. A reason, not an exception: one that is raised in a worker keeps the workers alive.
    """
    unreadable = [row for row in rows if isinstance(row, Unreadable)]
    samples = [row for row in rows if not isinstance(row, Unreadable)]
    last = [row.reason for row in unreadable if row.ends]
    if last:
        return last[0], []
    if not samples:
        return None, unreadable
    for key in _TENSORS:
        shapes = sorted({tuple(sample[key].shape) for sample in samples if key in sample})
        if len(shapes) > 1:
            return f"the samples of a batch differ: {key} {shapes}; give one size and samples", unreadable
    return default_collate(samples), unreadable


class _Guarded(Dataset[Any]):
    """A data set that gives `Unreadable` where the one behind it raises: an exception would end a worker."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except AvsnetError as error:
            return Unreadable(index, str(error), isinstance(error, TrainingError))

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """What torch's loaders call for a batch, where it exists."""
        read = getattr(self.dataset, "read", None)
        if read is None:
            return [self[index] for index in indices]
        found = zip(indices, read(indices), strict=True)
        return [Unreadable(at, str(given)) if isinstance(given, AvsnetError) else given for at, given in found]
