"""One training run: its folder, the trainer, and the weights that come out."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avsnet.errors import MissingExtraError, ModelError, TrainingError, one_line
from avsnet.io.whole_files import WRITE_ERRORS, cannot_write, sync
from avsnet.train.card import environment, model_card
from avsnet.train.checkpoint import check_checkpoint
from avsnet.train.config import TrainConfig
from avsnet.train.config_file import read_config, write_config

if TYPE_CHECKING:  # Lightning is an extra
    from lightning import Trainer

    from avsnet.train.datamodule import DepthData
    from avsnet.train.ear_data import EarData
    from avsnet.train.module import DepthTraining

_FREE = ("out", "resume", "validate_every", "save_every", "log_every", "pictures", "accelerator", "devices", "nodes")
"""Settings that a run may change when it goes on; all others would make another run of it."""


def train(config: TrainConfig, *, command: str = "", callbacks: Sequence[Any] = ()) -> Path:
    """Train a network as a config says.

    The folder `config.out` gets `config.yaml`, `environment.txt`, `metrics.csv`, `validation.csv`, `tensorboard`,
    `pictures`, `checkpoints/last.ckpt`, and `model`: the weights that were best in validation, the last ones without
    one, with their `MODEL_CARD.md`; next to those of a depth network that has learned from frames alone, its pose
    network's as `pose.safetensors`.

    Args:
        config: of the run.
        command: that started it, for the records.
        callbacks: further callbacks of Lightning.

    Returns:
        The folder of the weights, for `create_model(name, weights=folder)`.

    Raises:
        MissingExtraError: Lightning is not installed.
        OptionError: settings that do not go together.
        TrainingError: the folder holds another run, the loss is no number, or the system stopped the run.
        DataError: the data set is not as published, or too many of its rows cannot be read.
        ModelError: an unknown network, or one that does not give what the loss looks at or cannot be saved.
        OutputError: the folder cannot be written, or the disk is full.
        KeyboardInterrupt: says how to go on.
    """
    _check_lightning()
    method = _train_ear if config.loss == "ear" else _train_depth
    try:
        return method(config, command, callbacks)
    except OSError as error:  # readers have errors of their own
        raise cannot_write(error.filename or config.out, error) from None


def _train_depth(config: TrainConfig, command: str, callbacks: Sequence[Any]) -> Path:
    """Train a depth network, and write its best weights with their card."""
    from avsnet.models.avsnet.network import AVSNet
    from avsnet.models.registry import create_model
    from avsnet.train.callbacks import Log, Validation
    from avsnet.train.datamodule import DepthData
    from avsnet.train.self_supervised import SelfSupervised
    from avsnet.train.sources import present
    from avsnet.train.supervised import Supervised

    folder, weights, first = Path(config.out), Path(config.out) / "model", _is_first()
    # What is left out is left out everywhere: in the records, on the card, and when the run goes on.
    there, lacking = present(config.data)
    config = replace(config, data=there)
    network = create_model(config.model.name, weights=config.model.weights, **config.model.options)
    if not hasattr(network, "save_pretrained"):
        raise ModelError(f"{config.model.name}: cannot be saved as a folder, hence not trained")
    if isinstance(network, AVSNet):
        network.note_training(_named(config.data.train))
    data = DepthData(config, config.devices * config.nodes)
    kind = SelfSupervised if config.loss == "photometric" else Supervised
    module = kind(network, config, data.steps, data.order.steps_per_epoch)
    if first:
        _prepare(config, folder, _checkpoint(folder), command)
        for line in lacking:
            _say(line)
    log = Log(folder, _say)
    every = max(1, round(config.validate_every * data.order.steps_per_epoch))
    validation = Validation(folder, data, every, lambda: _save(module, weights), _say)
    _fit(config, module, data, (*callbacks, log, validation), first)
    if first:
        if not validation.scores:
            _save(module, weights)
        card = model_card(
            config,
            command=command,
            rows=data.order.rows,
            steps=data.steps,
            best_step=validation.best_step or data.steps,
            seconds=log.seconds,
            parameters=sum(weight.numel() for weight in network.parameters()),
            scores=validation.scores,
        )
        (weights / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        _say(f"weights: {weights}")
    return weights


def _named(sources: Sequence[str]) -> str:
    """What is trained on, in words that may leave this machine: of a path its last part."""
    return " and ".join(dict.fromkeys(re.sub(r"[^:]*[/\\\\]", "", source.rstrip("/")) for source in sources))


def _train_ear(config: TrainConfig, command: str, callbacks: Sequence[Any]) -> Path:
    """Train the ear, calibrate it by the validation rows, and write its weights with their card."""
    import torch

    from avsnet.scale.ear_network import EarNetwork
    from avsnet.train.callbacks import Log
    from avsnet.train.ear import EarTraining, calibrate
    from avsnet.train.ear_card import ear_card
    from avsnet.train.ear_data import EarData

    folder, weights, first = Path(config.out), Path(config.out) / "model", _is_first()
    if first:
        _prepare(config, folder, _checkpoint(folder), command)
    torch.manual_seed(config.seed)
    data = EarData(config)
    network = EarNetwork() if config.model.weights is None else EarNetwork.load(config.model.weights)
    module = EarTraining(network, config, data.steps, data.order.steps_per_epoch)
    log = Log(folder, _say)
    _fit(config, module, data, (*callbacks, log), first)
    if first:
        scores = calibrate(module.ear, data.validation_batches())
        _say(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
        _save(module, weights)
        card = ear_card(config, command, data.order.rows, data.steps, log.seconds, scores)
        (weights / "MODEL_CARD.md").write_text(card, encoding="utf-8")
        _say(f"weights: {weights}")
    return weights


def _check_lightning() -> None:
    """Refuse to begin where the extra is missing."""
    import avsnet.canvas  # noqa: F401  # before Lightning, which imports matplotlib, whatever MPLBACKEND says

    try:
        import lightning  # noqa: F401
        import tensorboard  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(f"training needs {error.name}; pip install 'avsnet[train]'") from None


def _is_first() -> bool:
    """Whether this process is the one that writes and speaks."""
    from lightning.fabric.utilities.rank_zero import rank_zero_only

    return getattr(rank_zero_only, "rank", 0) == 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _checkpoint(folder: Path) -> Path:
    """What a run goes on from."""
    return folder / "checkpoints" / "last.ckpt"


def _fit(
    config: TrainConfig, module: DepthTraining, data: DepthData | EarData, callbacks: Sequence[Any], first: bool
) -> None:
    """All steps that are left, from the last checkpoint if the run is to go on."""
    from lightning.pytorch.utilities.exceptions import SIGTERMException

    folder, last = Path(config.out), _checkpoint(Path(config.out))
    with _quiet():
        trainer = _trainer(config, callbacks, first)
        resumed = last if config.resume and last.exists() else None
        try:
            with _interruptible(folder):
                trainer.fit(module, datamodule=data, ckpt_path=resumed, weights_only=True)
        except SIGTERMException:
            raise TrainingError(f"{folder}: the system stopped the run (SIGTERM); go on with it by --resume") from None
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            if resumed is None or any(getattr(one, "first", None) is not None for one in callbacks):
                raise
            raise TrainingError(
                f"{last}: is no checkpoint of this run ({one_line(error)[:200]}); delete it to begin anew"
            ) from error


@contextmanager
def _interruptible(folder: Path) -> Iterator[None]:
    """Ctrl-C ends a run like any program; Lightning makes an exit of its own of it, and ignores Ctrl-C from then on."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt(f"{folder}: go on with it by --resume") from None
    finally:
        if main and handler is not None:
            signal.signal(signal.SIGINT, handler)


def _trainer(config: TrainConfig, callbacks: Sequence[Any], first: bool) -> Trainer:
    """Lightning's, which runs the steps; order, log, validation and checkpoints are ours."""
    from lightning import Trainer
    from lightning.pytorch.loggers import TensorBoardLogger

    from avsnet.train.callbacks import Checkpoints

    folder = Path(config.out)
    return Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if config.devices * config.nodes > 1 else "auto",
        precision=config.precision,
        max_epochs=1,  # of Lightning's, which is one long row of all our epochs: it is entered at any step alike
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.optimiser.clip or None,
        logger=TensorBoardLogger(folder, name="tensorboard", version="") if first else False,
        callbacks=[*callbacks, Checkpoints(_checkpoint(folder), config.save_every)],
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out Lightning's advice on workers and logging that does not fit here, and on older libraries."""
    from lightning.fabric.utilities.warnings import PossibleUserWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", ".*treespec.*", FutureWarning)
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield


def _prepare(config: TrainConfig, folder: Path, last: Path, command: str) -> None:
    """Make the folder, or see that it holds the run that is to go on."""
    settings = folder / "config.yaml"
    if _begun(folder, last) and not config.resume:
        raise TrainingError(f"{folder}: holds a run; go on with it by --resume, or give another --out")
    if settings.exists() and not (folder / "environment.txt").exists():
        raise TrainingError(f"{settings}: is there already and of no run; give another --out")
    if last.exists():
        check_checkpoint(last)
        before, now = _course(read_config(settings)), _course(config)
        changed = [name for name in now if before[name] != now[name]]
        if changed:
            name = changed[0]
            raise TrainingError(
                f"{folder}: was begun with {name} {before[name]!r}, not {now[name]!r}; go on with that, or give "
                "another --out"
            )
    last.parent.mkdir(parents=True, exist_ok=True)
    last.with_suffix(".part").unlink(missing_ok=True)
    write_config(config, settings)
    with (folder / "environment.txt").open("a", encoding="utf-8") as file:
        file.write(environment(config, command) + "\n")


def _begun(folder: Path, last: Path) -> bool:
    """Whether there is anything to lose: a run that ended before its first line of the log may begin anew."""
    log = folder / "metrics.csv"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return len(lines) > 1 or last.exists() or (folder / "model").exists()


def _course(config: TrainConfig) -> dict[str, Any]:
    """All settings that decide which numbers come out, by their dotted names."""
    import dataclasses

    flat: dict[str, Any] = {}
    for name, value in dataclasses.asdict(config).items():
        if isinstance(value, dict):
            flat |= {
                f"{name}.{key}": list(entry) if isinstance(entry, tuple) else entry for key, entry in value.items()
            }
        elif name not in _FREE:
            flat[name] = value
    for name in ("data.workers", "data.cache"):
        del flat[name]
    return flat


def _save(module: DepthTraining, folder: Path) -> None:
    """Write the weights as our folder, whole or not at all."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        module.save(part)
        sync(part)
    except WRITE_ERRORS as error:
        raise cannot_write(part, error) from None
    (part / "README.md").unlink(missing_ok=True)  # the library's boilerplate; MODEL_CARD.md says more
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
