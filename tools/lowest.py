"""Print the lowest versions that pyproject.toml allows, as constraints for pip: `python tools/lowest.py EXTRA...`."""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

PINNED_BY_ANOTHER = {"torchvision": "torch"}
"""A package of which each version takes one version of another: where an extra wants a later one, pip finds its own."""


def requirements(project: dict, extras: list[str]) -> list[str]:
    """The requirements of the package with some extras, those of `avsnet[...]` among them unfolded."""
    found = list(project["dependencies"])
    waiting = list(extras)
    while waiting:
        for line in project["optional-dependencies"][waiting.pop()]:
            own = re.fullmatch(rf"{project['name']}\[(.+)\]", line)
            if own:
                waiting += own[1].split(",")
            else:
                found.append(line)
    return found


def lowest(lines: list[str]) -> dict[str, str]:
    """Name -> the greatest of its lower bounds.

    >>> lowest(["a>=1.2,<3", "b[c]>=1.10", "b>=1.9", "d"])
    {'a': '1.2', 'b': '1.10'}
    """
    found: dict[str, str] = {}
    for line in lines:
        bound = re.match(r"([\w.-]+)(?:\[.*?\])?\s*>=\s*([\w.]+)", line)
        if bound and _number(bound[2]) > _number(found.get(bound[1], "0")):
            found[bound[1]] = bound[2]
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def constraints(project: dict, extras: list[str]) -> list[str]:
    """Lines for pip."""
    least, core = lowest(requirements(project, extras)), lowest(project["dependencies"])
    for name, other in PINNED_BY_ANOTHER.items():
        if least[other] != core[other]:
            del least[name]
    return [f"{name}=={version}" for name, version in sorted(least.items())]


if __name__ == "__main__":
    told = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    print("\n".join(constraints(told["project"], sys.argv[1:])))
