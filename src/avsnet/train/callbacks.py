"""What happens between the steps of a training: the log, validation, pictures and checkpoints, in this order."""

from __future__ import annotations

import csv
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from avsnet.evaluation.protocol import metres_of, truths_of, validate
from avsnet.io.whole_files import WRITE_ERRORS, atomic_path, cannot_write, sync
from avsnet.metrics import METRICS, MetricMean
from avsnet.train.datamodule import DepthData, TrainingLoader
from avsnet.train.module import DepthTraining
from avsnet.train.pictures import save_pictures

LOG = ("step", "epoch", "loss", "lr", "samples_per_second", "data_wait")
"""Columns of `metrics.csv`: loss is the mean since the last line, data_wait the share of that time spent waiting."""

VALIDATION = ("step", "epoch", "source", "images", "skipped", "scaling", *METRICS)
"""Columns of `validation.csv`: scaling is how depth was brought to metres, "none" where it is metres."""

_NO_CHARACTER = "\ufffd"  # where bytes are no UTF-8


class Table:
    """A CSV file that grows line by line and can be cut back to the step at which a run goes on."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns

    def cut(self, step: int) -> None:
        """Keep the lines up to a step: those after it will be written again."""
        kept = []
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
                kept = [row for row in csv.DictReader(_without_zeros(file)) if self._is_whole(row, step)]
        with atomic_path(self.path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(kept)

    def _is_whole(self, row: dict[Any, Any], step: int) -> bool:
        """Whether a line is one of ours up to a step: one that was being written when the run was killed is short.

        What is no text, or no character at all, a damaged disk has put there.
        """
        texts = [row.get(name) for name in self.columns]
        if row.keys() != set(self.columns) or not all(isinstance(text, str) for text in texts):
            return False
        if not all(text.isprintable() and _NO_CHARACTER not in text for text in row.values()):
            return False
        return str(row["step"]).isdecimal() and int(row["step"]) <= step

    def add(self, row: dict[str, Any]) -> None:
        """Append a line."""
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow(row)


class StepCallback(Callback, ABC):
    """Calls `on_step` after each step of the optimiser, which may take several batches."""

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Lightning's hook after each batch."""
        assert isinstance(module, DepthTraining)
        if (batch_index + 1) % module.config.accumulate == 0:
            self.on_step(trainer, module, trainer.global_step)

    @abstractmethod
    def on_step(self, trainer: Trainer, module: DepthTraining, step: int) -> None:
        """After `step` steps in all."""


class Log(StepCallback):
    """Writes `metrics.csv` and TensorBoard, and tells how fast it goes, what waits, and how long it will take.

    Validation and checkpoints count for the time that is left, not for the speed of the steps.

    Attributes:
        seconds: that the run has taken, all its pieces together.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.table, self.say = Table(folder / "metrics.csv", LOG), say
        self.seconds = 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Cut the table back to where the run goes on."""
        if trainer.is_global_zero:
            self.table.cut(trainer.global_step)
        self.first = self.since = trainer.global_step
        self.started = time.perf_counter()
        self.before, self.worked, self.waited = self.seconds, 0.0, 0.0

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, batch_index: int) -> None:
        """The batch is here; note when, and by what rate it will be learned from."""
        self.begun, self.rate = time.perf_counter(), trainer.optimizers[0].param_groups[-1]["lr"]

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Lightning's hook after each batch."""
        self.worked += time.perf_counter() - self.begun
        super().on_train_batch_end(trainer, module, outputs, batch, batch_index)

    def on_step(self, trainer: Trainer, module: DepthTraining, step: int) -> None:
        """A line every `log_every` steps and after the last one."""
        self.seconds = self.before + time.perf_counter() - self.started
        config, loader = module.config, _loader(trainer)
        if step % config.log_every and step != module.steps:
            return
        loss = float(trainer.strategy.reduce(torch.stack(module.losses).mean(), reduce_op="mean"))
        module.losses.clear()
        waited = loader.waited - self.waited
        row = {
            "step": step,
            "epoch": round(step / loader.sampler.order.steps_per_epoch, 4),
            "loss": loss,
            "lr": self.rate,
            "samples_per_second": round((step - self.since) * config.data.batch_size / (self.worked + waited), 2),
            "data_wait": round(waited / (self.worked + waited), 4),
        }
        self.since, self.worked, self.waited = step, 0.0, loader.waited
        left = (self.seconds - self.before) / (step - self.first) * (module.steps - step)
        if trainer.is_global_zero:
            self.table.add(row)
            for logger in trainer.loggers:
                logger.log_metrics({f"train/{key}": row[key] for key in LOG[1:]}, step)
            self.say(
                f"step {step}/{module.steps}, epoch {row['epoch']:.2f}: loss {loss:.4f}, "
                f"{row['samples_per_second']:.1f} samples/s, data wait {row['data_wait']:.1%}, {_minutes(left)} left"
            )

    def state_dict(self) -> dict[str, Any]:
        """Seconds spent, for the model card."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.seconds = state_dict["seconds"]


class Validation(StepCallback):
    """Evaluates the network, keeps the weights that are best on the first source by abs_rel, and draws samples.

    Of a network that learns without depth the last weights are kept: none are chosen by a depth it must not know.

    Args:
        folder: of the run.
        data: gives the validation rows.
        every: steps.
        save: keeps the weights.
        say: tells people.

    Attributes:
        best: abs_rel of the weights that were kept.
        scores: of these weights, by source.
    """

    def __init__(
        self,
        folder: Path,
        data: DepthData,
        every: int,
        save: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.folder, self.data, self.every, self.save, self.say = folder, data, every, save, say
        self.table = Table(folder / "validation.csv", VALIDATION)
        self.best, self.best_step = float("inf"), 0
        self.scores: dict[str, dict[str, Any]] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Cut the table back to where the run goes on, and open the validation rows."""
        if trainer.is_global_zero:
            self.table.cut(trainer.global_step)
        self.loaders = self.data.validation_loaders(trainer.global_rank)
        self.shown = self.data.first(self.data.config.pictures) if trainer.is_global_zero else []

    def on_step(self, trainer: Trainer, module: DepthTraining, step: int) -> None:
        """Every `every` steps and after the last one."""
        if not self.loaders or (step % self.every and step != module.steps):
            return
        rows: list[dict[str, Any]] = []
        for source, loader in self.loaders.items():
            mean = validate(module.network, loader, cap=self.data.caps[source], scaling=module.scaling)
            mean = _merged(mean, trainer.world_size)
            epoch = round(step / self.data.order.steps_per_epoch, 4)
            scores = mean.compute()
            rows.append({"step": step, "epoch": epoch, "source": source, "images": mean.count, "skipped": mean.skipped})
            rows[-1] |= {"scaling": module.scaling} | scores
        better = module.keeps_last or rows[0]["abs_rel"] < self.best
        if better:
            self.best, self.best_step = rows[0]["abs_rel"], step
            self.scores = {row["source"]: row for row in rows}
        if trainer.is_global_zero:
            if better:
                self.save()
            self._tell(trainer, module, rows, better)

    def _tell(self, trainer: Trainer, module: DepthTraining, rows: list[dict[str, Any]], better: bool) -> None:
        step = rows[0]["step"]
        for row in rows:
            self.table.add(row)
            tags = {f"val/{row['source']}/{name}": row[name] for name in METRICS}
            for logger in trainer.loggers:
                logger.log_metrics(tags, step)
            numbers = ", ".join(f"{name} {row[name]:.4f}" for name in ("abs_rel", "rmse", "delta1"))
            scaled = "" if module.scaling == "none" else f" after {module.scaling}"
            self.say(f"step {step}, {row['source']} ({row['images']} images): {numbers}{scaled}{' *' * better}")
        if self.shown:
            maps = [metres_of(module.network, one, truths_of(one), module.scaling)[0] for one in self.shown]
            save_pictures(self.shown, maps, self.folder / "pictures" / f"step_{step:07d}.png")

    def state_dict(self) -> dict[str, Any]:
        """Which weights were kept, and how good they are."""
        return {"best": self.best, "best_step": self.best_step, "scores": self.scores}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.scores = state_dict["scores"]


class Checkpoints(StepCallback):
    """Writes the file from which a run goes on; one that is killed meanwhile leaves the one before it."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_step(self, trainer: Trainer, module: DepthTraining, step: int) -> None:
        """Every `every` steps and after the last one."""
        if step % self.every and step != module.steps:
            return
        part = self.path.with_suffix(".part")
        try:
            trainer.save_checkpoint(part)
            if trainer.is_global_zero:
                sync(part)
                os.replace(part, self.path)
        except WRITE_ERRORS as error:
            part.unlink(missing_ok=True)
            raise cannot_write(self.path, error) from None


def _without_zeros(lines: Iterable[str]) -> Iterator[str]:
    """Lines without the zero bytes that a crash of the machine leaves, on which some versions of csv stop."""
    return (line.replace("\0", "") for line in lines)


def _loader(trainer: Trainer) -> TrainingLoader:
    loader = trainer.train_dataloader
    assert isinstance(loader, TrainingLoader)
    return loader


def _merged(mean: MetricMean, processes: int) -> MetricMean:
    """The mean over the images of all processes."""
    if processes == 1:
        return mean
    parts: list[Any] = [None] * processes
    torch.distributed.all_gather_object(parts, mean)
    whole = MetricMean()
    for part in parts:
        whole.merge(part)
    return whole


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
