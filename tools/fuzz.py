"""Feed broken and hostile files to every reader, seeded, and report anything but an error of ours or a sound result.

    python tools/fuzz.py --cases 50000 --keep faults     # files that were a fault are kept

A case is a whole file of one reader with a few changes: bytes changed, cut, doubled and moved, and in texts numbers and
entries that no program writes. A fault is an exception that is no `AvsnetError`, one of several lines or for want of
memory, a result that cannot be (no finite number, another type), or more than `SECONDS`.
"""

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from fuzz_readers import READERS, seeds

SECONDS = 20
ROOM = 6 * 2**30  # bytes of address space: a length of four bytes, 4 GiB, may be asked for if it is not filled
MEMORY = Path("/dev/shm")  # what the page writes is synced, and on a disk that takes longer than all else
WORDS = [
    b"1e400",
    b"-1",
    b"0",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"9" * 400,
    b"[" * 300,
    b"&a [*a]",
    b"\0",
]
WORDS += [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0" * 8, b"../../etc/passwd", b"\x1b[2J", b"1e308", b"4294967296"]


def changed(content: bytes, other: bytes, random_: random.Random) -> bytes:
    """A file with one to four changes."""
    made = bytearray(content)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(made) + 1)
        # Heads and tails hold what readers believe.
        at = random_.choice([at, min(at, 64), max(0, len(made) - 64 + at % 64)])
        length = random_.choice([1, 1, 2, 4, 8, 64])
        kind = random_.randrange(7)
        if kind == 0 and at < len(made):
            made[at] = random_.randrange(256)
        elif kind == 1:
            made[at : at + length] = random_.choice(WORDS)
        elif kind == 2:
            made[at:at] = random_.choice(WORDS)
        elif kind == 3:
            del made[at : at + length]
        elif kind == 4:
            del made[at:]
        elif kind == 5:
            made[at:at] = made[at : at + length] * random_.choice([1, 2, 100])
        else:
            from_ = random_.randrange(len(other) + 1)
            made[at : at + length] = other[from_ : from_ + length]
    return bytes(made)


class _Hang(BaseException):
    """A case took too long; no reader may catch it."""


def _hang(*_):
    raise _Hang


def ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error of ours came of one that found no memory: without a bound the file would have taken it."""
    while error is not None:
        if isinstance(error, MemoryError) or "allocate" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def outcome(read: Callable[[Path], None], path: Path) -> str:
    """What became of a case: "typed", "accepted", or what is wrong."""
    from avsnet.errors import AvsnetError

    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
        return "accepted"
    except AvsnetError as error:
        if ran_out_of_memory(error):
            return f"memory: {error}"
        return "typed" if "\n" not in str(error) else f"an error of several lines: {error}"
    except _Hang:
        return "hang"
    except AssertionError as error:
        return f"wrong: {error}"
    except Exception as error:
        return f"other: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    finally:
        signal.alarm(0)


def run(cases: int, seed: int = 0, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Run cases.

    Returns:
        How many of each outcome; one line a fault.
    """
    signal.signal(signal.SIGALRM, _hang)
    random_, counts, faults = random.Random(seed), Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = seeds(folder)
        names = [reader for reader, (_, _, share) in READERS.items() for _ in range(share)]
        everything = [path.read_bytes() for paths in files.values() for path in paths]
        for case in range(cases):
            reader = random_.choice(names)
            whole = random_.choice(files[reader])
            path = folder / "case" / f"case{whole.suffix}"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(changed(whole.read_bytes(), random_.choice(everything), random_))
            found = outcome(READERS[reader][1], path)
            counts[found.partition(":")[0]] += 1
            if found not in ("typed", "accepted"):
                faults.append(f"case {case}, {reader} ({whole.name}): {found}")
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{case}_{whole.name}")
            path.unlink()
    return counts, faults


def read_once() -> None:
    """Read each whole file: what imports take, in time and memory, is not the cases'."""
    from avsnet.errors import AvsnetError

    with tempfile.TemporaryDirectory() as name:
        for reader, paths in seeds(Path(name)).items():
            path = Path(name) / "case" / f"case{paths[0].suffix}"
            path.parent.mkdir(exist_ok=True)
            shutil.copy(paths[0], path)
            with warnings.catch_warnings(), contextlib.suppress(AvsnetError):
                warnings.simplefilter("ignore")
                READERS[reader][1](path)


def bound_memory() -> None:
    """Let no case take `ROOM` more than there is now: it fails by itself then, and does not end the run."""
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> int:
    """Run, and print counts, faults and the memory they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if MEMORY.is_dir():
        tempfile.tempdir = str(MEMORY)
    os.environ["HF_HUB_OFFLINE"] = "1"  # what is typed on the page may name a model of the hub
    read_once()
    bound_memory()
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    counts, faults = run(given.cases, given.seed, given.keep)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    print(*faults, sep="\n")
    told = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    print(f"{given.cases} cases in {time.monotonic() - start:.0f} s: {told}; {grown:.2f} GiB above the start at most")
    return 1 if faults or grown > 2.0 else 0


if __name__ == "__main__":
    sys.exit(main())
