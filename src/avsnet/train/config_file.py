"""A training run's settings from a YAML file and flags, and back into YAML.

A file may name another one as `base` and change a few lines of it. Names are checked, by jsonargparse: a key that
nobody knows is an error, not a silent default.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import yaml

from avsnet.errors import OptionError
from avsnet.io.texts import parse_yaml, read_text
from avsnet.train.config import DataConfig, ModelConfig, OptimiserConfig, PhotometricConfig, TrainConfig
from avsnet.train.text_entries import take_texts

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

GROUPS: dict[str, type] = {
    "model": ModelConfig,
    "data": DataConfig,
    "optimiser": OptimiserConfig,
    "photometric": PhotometricConfig,
}
"""The second level of a run's settings."""

_LEVELS: dict[str, type] = {"": TrainConfig} | {f"{name}.": group for name, group in GROUPS.items()}


def config_parser() -> ArgumentParser:
    """The parser of a run's settings, from YAML or flags."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(prog="avsnet train CONFIG", exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(TrainConfig)
    return parser


def read_config(path: str | Path, flags: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML file, and put flags in the place of its lines.

    Args:
        path: the file; a `base` in it is looked for in its folder.
        flags: such as `--data.batch-size=8` or `--seed 1`, with dashes or underscores.

    Returns:
        The run's settings, checked by name and type.

    Raises:
        OptionError: a file that cannot be read, or an unknown or wrong entry; names it.
    """
    from jsonargparse import ArgumentError

    parser = config_parser()
    entries = _with_base(Path(path), ())
    _check_names(entries, str(path))
    words = _underscored(flags)
    _last_length(entries, {word.partition("=")[0].removeprefix("--") for word in words})
    texts, words = take_texts(entries, words, _LEVELS, str(path))
    source = str(path)
    try:
        parsed = parser.parse_object(entries)
        source = "flags"
        if words:
            parsed = parser.parse_args(words, namespace=parsed)
    except ArgumentError as error:
        raise OptionError(f"{source}: {_clear(str(error))}") from None
    chosen = parser.instantiate(parsed)
    for name, text in texts.items():
        group, dot, key = name.partition(".")
        if dot:
            setattr(chosen[group], key, text)
        else:
            chosen[name] = text
    _check_given(chosen, str(path))
    return TrainConfig(**{entry.name: chosen[entry.name] for entry in dataclasses.fields(TrainConfig)})


def _check_given(chosen: Any, source: str) -> None:
    """Refuse null where there is no "none": the parser takes it for every entry."""
    for prefix, group in _LEVELS.items():
        part = vars(chosen[prefix.removesuffix(".")] if prefix else chosen)
        for name, hint in get_type_hints(group).items():
            if part[name] is None and NoneType not in get_args(hint):
                raise OptionError(f"{source}: {prefix}{name} is null; give a value, or leave the line out")


def write_config(config: TrainConfig, path: str | Path) -> None:
    """Write all of a run's settings as YAML that `read_config` reads again."""
    entries = dataclasses.asdict(config)
    entries["data"]["size"] = list(entries["data"]["size"])
    Path(path).write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _with_base(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The entries of a file over those of its base."""
    from jsonargparse import get_loader

    path = path.resolve()
    if path in seen:
        raise OptionError(f"{path}: is its own base; take the `base` out of one of the files")
    try:
        text = read_text(path)
        parse_yaml(text)  # refuses what would unfold to more than a machine holds
        entries = get_loader("yaml")(text)
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror}); give the YAML file of a run") from None
    except Exception as error:  # YAML's errors share no public base with jsonargparse's
        raise OptionError(f"{path}: is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(entries, dict):
        raise OptionError(f"{path}: holds no settings, but {type(entries).__name__}; see configs/ for examples")
    base = entries.pop("base", None)
    if base is None:
        return entries
    if not isinstance(base, str):
        raise OptionError(f"{path}: base is {base!r}, but must be the name of a file")
    under = _with_base(path.parent / base, (*seen, path))
    _last_length(under, entries)
    return _merged(under, entries)


def _last_length(under: dict[str, Any], over: Collection[str]) -> None:
    """Whoever asks for epochs means them, also over a file that counts steps, which would take their place."""
    if "epochs" in over and "steps" not in over:
        under.pop("steps", None)


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(under[key], over[key])
        for key in under.keys() & over.keys()
        if isinstance(under[key], dict) and isinstance(over[key], dict)
    }
    return under | over | both


def _check_names(entries: dict[str, Any], source: str) -> None:
    """Refuse a key that nobody knows, and name the one that is nearest."""
    for key, value in entries.items():
        _check_name(key, TrainConfig, "", source)
        if key in GROUPS:
            if not isinstance(value, dict):
                raise OptionError(f"{source}: {key} is {value!r}, but must hold entries such as {key}.name")
            for inner in value:
                _check_name(inner, GROUPS[key], f"{key}.", source)


def _check_name(key: str, group: type, prefix: str, source: str) -> None:
    known, where = [entry.name for entry in dataclasses.fields(group)], prefix
    if key not in known:
        near = difflib.get_close_matches(str(key), known, 1)
        elsewhere = [f"{name}." for name, other in GROUPS.items() if key in {e.name for e in dataclasses.fields(other)}]
        if not near and not prefix and elsewhere:
            near, prefix = [key], elsewhere[0]
        guess = f"did you mean {prefix}{near[0]}?" if near else f"known: {', '.join(known)}"
        raise OptionError(f"{source}: unknown entry {where}{key}; {guess}")


def _underscored(flags: Sequence[str]) -> list[str]:
    """Flags as jsonargparse knows them; a bare `--resume` is switched on; unknown ones are refused."""
    switches = {
        prefix + entry.name
        for prefix, level in _LEVELS.items()
        for entry in dataclasses.fields(level)
        if entry.type == "bool"
    }
    words = []
    for position, word in enumerate(flags):
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            name = flag[2:].replace("-", "_")
            group, dot, rest = name.rstrip("+").partition(".")
            _check_names({group: {rest.partition(".")[0]: None} if dot else None}, "flags")
            following = flags[position + 1 : position + 2]
            if name in switches and not equals and [*following] not in (["true"], ["false"]):
                equals, value = "=", "true"
            flag = f"--{name}"
        words.append(flag + equals + value)
    return words


def _clear(message: str) -> str:
    """The parser's message in one line."""
    found = re.search(r'key "([\w.]+)":.*?(?:Got|Given) value: (.*)', message, re.DOTALL)
    if found is None:
        return " ".join(message.split())
    group, dot, name = found[1].partition(".")
    fields = {entry.name: entry.type for entry in dataclasses.fields(GROUPS[group] if dot else TrainConfig)}
    wanted = str(fields.get(name if dot else group, "of another kind")).replace("Literal", "one of ")
    return f"{found[1]} is {' '.join(found[2].split())}, but must be {wanted}"
