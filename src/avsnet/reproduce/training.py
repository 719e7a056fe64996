"""Weights that a reproduction lacks, trained before it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from avsnet.errors import OptionError
from avsnet.reproduce.table_rows import Cast, weight_names


def parse_training(text: str, cast: Cast) -> dict[str, Path]:
    """Read `NAME=CONFIG,...`: which weights to train where they are missing, and by which file.

    Raises:
        OptionError: another form, no such file, or a name that no row asks for.
    """
    found = {}
    known = weight_names(cast)
    for part in text.split(","):
        name, equals, config = part.strip().partition("=")
        if not equals or not name:
            raise OptionError(f"--train {part!r}: wanted NAME=CONFIG, such as bitd=configs/bitd.yaml")
        if not Path(config).is_file():
            raise OptionError(f"--train {part!r}: no such file {config}")
        if name not in known:
            raise OptionError(f"--train {part!r}: no row has weights {name}; those of rows: {', '.join(known)}")
        found[name] = Path(config)
    return found


def train_missing(wanted: dict[str, Path], weights: Path, v2: Path | None, left_out: Sequence[str] = ()) -> list[str]:
    """Train what is wanted and is not in the folder; a run that was ended is taken up again.

    Args:
        wanted: name, which may end in `_<tag>`, to its config.
        weights: folder; `<name>` appears in it when the training is over, `runs/<name>` is the run.
        v2: root of BatVision V2, which takes the place of the config's data; None keeps that.
        left_out: locations of V2 that names ending in `_left_out` do without.

    Returns:
        The names that were trained.

    Raises:
        OptionError: weights that are to do without locations, and none are named.
        AvsnetError: what `avsnet.train` raises.
    """
    from avsnet.train.config_file import read_config
    from avsnet.train.run import train

    blind = [name for name in wanted if name.endswith("_left_out")]
    if blind and not left_out:
        raise OptionError(f"--train {blind[0]}: is trained without the locations of --left-out; name them")
    trained = []
    for name, config in wanted.items():
        if (weights / name).exists():
            continue
        flags = ["--out", str(weights / "runs" / name), "--resume"]
        if v2 is not None:
            flags += [f"--data.train=batvision_v2:{v2}", f"--data.val=batvision_v2:{v2}"]
        if name.endswith("_left_out"):
            flags.append(f"--data.leave-out={json.dumps(list(left_out))}")
        model = train(read_config(config, flags), command=f"avsnet train {config} {' '.join(flags)}")
        part = weights / "runs" / f"{name}.part"  # next to `<name>` it would be taken for weights
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(model, part)
        part.rename(weights / name)  # whole or absent
        trained.append(name)
    return trained
