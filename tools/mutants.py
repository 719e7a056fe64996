"""Change one thing at a time in core files and count the changes that no test of the file notices.

    python tools/mutants.py                       # a seeded sample of each file
    python tools/mutants.py --each 1000 metrics   # every change of the files whose path holds "metrics"

A child process is forked for each mutant, which loads the changed file in place of the real one and runs the tests that
are named for it below, so that nothing on the disk changes. Messages, types and docstrings are left alone.
"""

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 120  # of computing, for the tests of one mutant; one that hangs is noticed
PATIENCE = 20  # times as long by the clock: on a busy machine a mutant that waits its turn hangs no more than others

TARGETS = {
    "scale/rules.py": ["tests/scale/test_rules.py"],
    "scale/known.py": ["tests/scale/test_known.py"],
    "scale/posterior.py": ["tests/scale/test_posterior.py"],
    "metrics.py": ["tests/test_metrics.py"],
    "planes.py": ["tests/test_planes.py"],
    "models/avsnet/fusion.py": ["tests/models/avsnet/test_fusion.py"],
    "audio/direct_sound.py": ["tests/audio/test_direct_sound.py"],
    "audio/range_axis.py": ["tests/audio/test_range_axis.py"],
    "data/batvision_files.py": ["tests/data/test_batvision_files.py", "tests/data/test_batvision_v1.py"],
    "io/arrays.py": ["tests/io/test_limits.py", "tests/io/test_depth_maps.py"],
    "io/texts.py": ["tests/io/test_limits.py"],
    "io/orientation.py": ["tests/io/test_orientation.py"],
}
"""File of the package -> the tests that must notice a change in it."""

_COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
_COMPUTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div}
_NAMED = {"min": "max", "max": "min", "round": "int", "any": "all", "all": "any", "argmax": "argmin", "median": "mean"}
_AXES = {"dim", "axis"}


def mutants(source: str) -> list[tuple[str, str]]:
    """Every change of a file: what it is, and the file's code with it."""
    count = len(list(_changes(ast.parse(source))))
    found = []
    for number in range(count):
        tree = ast.parse(source)
        line, name, change = list(_changes(tree))[number]
        change()
        found.append((f"line {line}: {name}", ast.unparse(ast.fix_missing_locations(tree))))
    return found


def _changes(tree):
    """Line, name and function of each change that can be made in a tree."""
    for node in _code(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
            other = _COMPARED[type(node.ops[0])]
            yield line, f"compares by {other.__name__}", lambda n=node, o=other: n.ops.__setitem__(0, o())
        if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _COMPUTED:
            other = _COMPUTED[type(node.op)]
            yield line, f"computes {other.__name__}", lambda n=node, o=other: setattr(n, "op", o())
        if isinstance(node, ast.AugAssign):
            yield line, f"{ast.unparse(node.target)} forgets what it was", lambda n=node: _forget(tree, n)
        if isinstance(node, ast.BoolOp):
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield line, f"joins by {other.__name__}", lambda n=node, o=other: setattr(n, "op", o())
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert | ast.USub):
            yield line, f"without {type(node.op).__name__}", lambda n=node: setattr(n, "op", ast.UAdd()) or _plain(n)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            for name, value in (("ten times", node.value * 10 or 1), ("one more", node.value + 1)):
                yield line, f"{node.value} {name}", lambda n=node, v=value: setattr(n, "value", v)
        if isinstance(node, ast.Call):
            attribute = "id" if isinstance(node.func, ast.Name) else "attr"
            name = getattr(node.func, attribute, "")
            if name in _NAMED:
                yield (
                    line,
                    f"{name} -> {_NAMED[name]}",
                    lambda f=node.func, a=attribute, n=name: setattr(f, a, _NAMED[n]),
                )


def _code(node):
    """The nodes that compute: no docstrings, annotations, decorators, messages of errors or format strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for inner in value if isinstance(value, list) else [value]:
            text = isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant)
            if (
                isinstance(inner, ast.AST)
                and not text
                and not isinstance(inner, ast.Raise | ast.JoinedStr | ast.Import)
            ):
                yield inner
                yield from _code(inner)


def _forget(tree, node):
    """`a += b` becomes `a = b`."""
    for parent in ast.walk(tree):
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and node in value:
                value[value.index(node)] = ast.Assign([node.target], node.value, lineno=node.lineno)


def _plain(node):
    """`-a`, `~a` or `not a` becomes a."""
    inner = node.operand
    node.__class__ = inner.__class__
    node.__dict__ = inner.__dict__


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module other code."""

    def __init__(self, name: str, code: str, path: Path) -> None:
        self.name, self.code, self.path = name, code, path

    def find_spec(self, name, path, target=None):
        """The module's own place, and this loader."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def create_module(self, spec):
        """As usual."""

    def exec_module(self, module):
        """Run the changed code."""
        exec(compile(self.code, str(self.path), "exec"), module.__dict__)


def is_noticed(file: str, code: str, tests: list[str]) -> bool:
    """Whether a test fails, or hangs, in a child with the changed file."""
    child = os.fork()
    if child == 0:
        import pytest

        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        name = f"avsnet.{file.removesuffix('.py').replace('/', '.')}"
        sys.meta_path.insert(0, _Changed(name, code, ROOT / "src" / "avsnet" / file))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        os._exit(int(pytest.main([*options, *(str(ROOT / test) for test in tests)])))
    until = time.monotonic() + PATIENCE * SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> int:
    """Print each survivor, and the share of them by file and in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="parts of paths")
    parser.add_argument("--each", type=int, default=6, help="mutants of each file at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.chdir(ROOT)
    import pytest  # noqa: F401  # children inherit what takes long to import
    import scipy.optimize  # noqa: F401
    import torch  # noqa: F401

    survived, tried = 0, 0
    for file, tests in TARGETS.items():
        if given.only and not any(part in file for part in given.only):
            continue
        source = (ROOT / "src" / "avsnet" / file).read_text(encoding="utf-8")
        if is_noticed(file, source, tests):
            print(f"{file}: its tests fail without any change", flush=True)
            return 1
        every = mutants(source)
        chosen = random.Random(f"{given.seed} {file}").sample(every, min(given.each, len(every)))
        left = [name for name, code in chosen if not is_noticed(file, code, tests)]
        survived, tried = survived + len(left), tried + len(chosen)
        print(f"{file}: {len(left)} of {len(chosen)} survived ({len(every)} there are)", *left, sep="\n  ", flush=True)
    print(f"{survived} of {tried} survived, {survived / max(1, tried):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
