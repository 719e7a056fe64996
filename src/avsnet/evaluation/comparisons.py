"""What follows from rows together: which systems differ, how sure that is, and how much runs of other seeds spread.

A difference is paired over images and resampled over groups. Four kinds are asked for: an echo against its controls
(another scene's, silence, a shift), a network that hears against its twin that does not, a scaling against the model's
own metres, and pictures where sight fails against their plain twins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from avsnet.rooms.failures import TWINS
from avsnet.statistics import Interval, grouped_interval, verdict

Row = dict[str, str]
Key = tuple[str, str]
"""System and scaling."""

COMPARED = ("abs_rel", "delta1", "scale_error")
"""The metrics that differences are of."""

DIFFERENCE_FIELDS = (
    *("data", "system", "scaling", "than_system", "than_scaling", "metric", "images", "groups"),
    *("difference", "low", "high", "relative", "verdict"),
)
TWIN_FIELDS = (
    *("data", "system", "scaling", "subset", "twin", "metric", "images", "groups", "error", "error_of_twin"),
    *("difference", "low", "high", "relative", "verdict"),
)
SEED_FIELDS = ("data", "system", "scaling", "metric", "seeds", "mean", "lowest", "highest")

_SEED = re.compile(r"_seed(\d+)(?=@|$)")
_CONTROLS = ("shuffled", "silent", "late")


@dataclass(frozen=True)
class Pair:
    """Two rows to compare.

    Attributes:
        ours: system and scaling.
        other: of the row that it is compared with.
        control: ours with an echo that says nothing of the scene; None: there is none.
    """

    ours: Key
    other: Key
    control: Key | None = None


def pairs(keys: Iterable[Key]) -> list[Pair]:
    """The comparisons that rows allow, in the order of the rows."""
    known = dict.fromkeys(keys)
    found = []
    for system, scaling in known:
        if "@" in system or "@" in scaling or scaling.startswith("oracle"):
            continue
        controls = {name: [key for key in _with_echo(system, scaling, name) if key in known] for name in _CONTROLS}
        found += [Pair((system, scaling), key) for keys in controls.values() for key in keys]
        control = controls["shuffled"][0] if controls["shuffled"] else None
        twin = _deaf(system), _deaf(scaling)
        if twin not in known and twin[0] != system:
            twin = twin[0], "none"  # nothing but its own metres
        if twin in known and twin != (system, scaling):
            found.append(Pair((system, scaling), twin, control))
        if scaling != "none" and (system, "none") in known:
            found.append(Pair((system, scaling), (system, "none"), control))
    return found


def _with_echo(system: str, scaling: str, echo: str) -> Iterator[Key]:
    """The row with another echo: of the system itself, or of what scales it."""
    if scaling == "none":
        yield f"{system}@{echo}", scaling
    else:
        yield system, f"{scaling}@{echo}"
        yield f"{system}@{echo}", f"{scaling}@{echo}"  # both hear it


def _deaf(label: str) -> str:
    """The label of a network's twin that does not hear, by the names' endings."""
    return re.sub(r"_av(?=$|[=@:_])", "_v", label)


def paired(rows: dict[Key, dict[str, Row]], ours: Key, other: Key, metric: str) -> tuple[np.ndarray, list[str]]:
    """(N,) differences over the images that both have a score of, and the group of each.

    Args:
        rows: key -> image's id -> its row.
        ours: of the row.
        other: of what is taken off.
        metric: its name.
    """
    mine, theirs = rows.get(ours, {}), rows.get(other, {})
    both = [name for name in mine if name in theirs and mine[name][metric] and theirs[name][metric]]
    values = np.array([float(mine[name][metric]) - float(theirs[name][metric]) for name in both])
    return values, [mine[name]["group"] for name in both]


def differences(rows: Iterable[Row]) -> list[Row]:
    """Rows of `DIFFERENCE_FIELDS`, sorted, of every comparison and metric."""
    found = []
    for data, tables in by_key(rows).items():
        for pair in pairs(tables):
            for metric in COMPARED:
                line = _difference(tables, pair, metric)
                if line is not None:
                    found.append({"data": data} | line)
    return sorted(found, key=lambda row: [row[name] for name in DIFFERENCE_FIELDS[:6]])


def twin_differences(rows: Iterable[Row]) -> list[Row]:
    """Rows of `TWIN_FIELDS`: how much worse each row is where sight fails than in the plain twins of the same rooms."""
    found = []
    for data, tables in by_key(rows).items():
        for (system, scaling), table in tables.items():
            for subset, twin in TWINS.items():
                both = [(row, table.get(_twin_id(row, twin))) for row in table.values() if row["subset"] == subset]
                for metric in COMPARED:
                    pairs = [(row, other) for row, other in both if other and row[metric] and other[metric]]
                    if pairs:
                        keys = {"data": data, "system": system, "scaling": scaling, "subset": subset, "twin": twin}
                        found.append(keys | {"metric": metric} | _against_twins(pairs, metric))
    return sorted(found, key=lambda row: [row[name] for name in TWIN_FIELDS[:6]])


def _twin_id(row: Row, twin: str) -> str:
    return f"{row['id'].rpartition('/')[0]}/{twin}"


def _against_twins(pairs: list[tuple[Row, Row]], metric: str) -> Row:
    errors, plain = (np.array([float(pair[side][metric]) for pair in pairs]) for side in (0, 1))
    found, base = interval(errors - plain, [row["group"] for row, _ in pairs]), float(plain.mean())
    numbers = {"images": str(len(pairs)), "groups": str(found.groups)}
    return numbers | {"error": f"{errors.mean():.6g}", "error_of_twin": f"{base:.6g}"} | _told(found, base)


def _told(found: Interval, base: float, control: Interval | None = None) -> Row:
    """A difference as tables hold it."""
    return {
        "difference": f"{found.mean:.6g}",
        "low": f"{found.low:.6g}" if found.known else "",
        "high": f"{found.high:.6g}" if found.known else "",
        "relative": f"{found.mean / base:.6g}" if base else "",
        "verdict": verdict(found, base, control),
    }


def by_key(rows: Iterable[Row]) -> dict[str, dict[Key, dict[str, Row]]]:
    """Data -> system and scaling -> image's id -> its row."""
    found: dict[str, dict[Key, dict[str, Row]]] = {}
    for row in rows:
        found.setdefault(row["data"], {}).setdefault((row["system"], row["scaling"]), {})[row["id"]] = row
    return found


def _difference(tables: dict[Key, dict[str, Row]], pair: Pair, metric: str) -> Row | None:
    values, groups = paired(tables, pair.ours, pair.other, metric)
    if not values.size:
        return None
    found, control = interval(values, groups), None
    if pair.control is not None:
        against, its_groups = paired(tables, pair.ours, pair.control, metric)
        control = interval(against, its_groups) if against.size else None
    base = float(np.mean([float(row[metric]) for row in tables[pair.other].values() if row[metric]]))
    return {
        "system": pair.ours[0],
        "scaling": pair.ours[1],
        "than_system": pair.other[0],
        "than_scaling": pair.other[1],
        "metric": metric,
        "images": str(values.size),
        "groups": str(found.groups),
    } | _told(found, base, control)


def interval(values: np.ndarray, groups: list[str]) -> Interval:
    """As `grouped_interval`; the same values are resampled once, however many tables ask."""
    return _interval(values.tobytes(), tuple(groups))


@lru_cache(maxsize=4096)
def _interval(values: bytes, groups: tuple[str, ...]) -> Interval:
    return grouped_interval(np.frombuffer(values), groups)


def seed_of(row: Row) -> str:
    """The number of a training run where its weights end in `_seed<N>`, else ""."""
    found = _SEED.search(row["system"]) or _SEED.search(row["scaling"])
    return found[1] if found else ""


def seedless(label: str) -> str:
    """The label that runs of all seeds share.

    >>> seedless("median:avsnet_lite0_av=avsnet_lite0_av_seed2")
    'median:avsnet_lite0_av'
    """
    name = _SEED.sub("", label)
    return re.sub(r"(^|:)([^=:@]+)=\2(?=@|$)", r"\1\2", name)


def seed_spread(rows: Iterable[Row]) -> list[Row]:
    """Rows of `SEED_FIELDS` of what was run with weights of several seeds: the mean and the range of means."""
    means: dict[tuple[str, str, str], dict[str, list[Row]]] = {}
    for row in rows:
        seed = seed_of(row)
        if seed:
            key = row["data"], seedless(row["system"]), seedless(row["scaling"])
            means.setdefault(key, {}).setdefault(seed, []).append(row)
    found = []
    for (data, system, scaling), runs in sorted(means.items()):
        for metric in COMPARED if len(runs) > 1 else ():
            each = [np.mean([float(row[metric]) for row in run if row[metric]]) for run in runs.values()]
            line = {"data": data, "system": system, "scaling": scaling, "metric": metric, "seeds": str(len(each))}
            numbers = {"mean": np.mean(each), "lowest": np.min(each), "highest": np.max(each)}
            found.append(line | {name: f"{value:.6g}" for name, value in numbers.items()})
    return found
