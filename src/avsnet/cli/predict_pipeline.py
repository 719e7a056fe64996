"""Many pictures through one network as fast as it goes: while it computes, the next are read and the last are written.

One picture takes the same way as a thousand. Pictures of one shape go through the network together, which changes no
number: Python's own share of a small network's 20 ms is then paid once, and a GPU is full.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from avsnet.errors import AvsnetError, OptionError

if TYPE_CHECKING:
    import torch

    from avsnet.models.contract import DepthModel

Job = TypeVar("Job")
Read = TypeVar("Read")
Computed = TypeVar("Computed")
Written = TypeVar("Written")
Outcome = TypeVar("Outcome")

_SMALL = 8_000_000
"""Weights up to which one thread is faster than two: 4 M take 20 ms with one and 25 ms with two."""

_BATCH = 8
"""Pictures at a time through a small network, or on a GPU: a folder takes a tenth less time than with four. Three times
as many are held in memory, of 36 MB each if they have 12 megapixels."""

_MOST_THREADS = 8
"""That read and write; each has a picture in its hands."""


@dataclass(frozen=True)
class Steps(Generic[Job, Read, Computed, Written]):
    """What becomes of each picture; the first and the last step run in threads, beside the one that computes.

    Args:
        read: from the job to what the network takes.
        compute: from several of these to as many results, in order; an error in the place of a result is of that one.
        write: from the job, what was read and what was computed to what is said of it.
    """

    read: Callable[[Job], Read]
    compute: Callable[[Sequence[Read]], Sequence[Computed | AvsnetError]]
    write: Callable[[Job, Read, Computed], Written]


def pipelined(
    jobs: Iterable[Job], steps: Steps[Job, Read, Computed, Written], *, batch: int, threads: int
) -> Generator[tuple[Job, Written | AvsnetError], None, None]:
    """Take every job through the three steps.

    A job that fails with an `AvsnetError` fails alone. When the caller stops, or the user does, what is being written
    is finished and nothing else is begun.

    Args:
        jobs: taken as needed: about three batches are under way at a time.
        steps: what to do.
        batch: how many are computed at a time.
        threads: that read and write.

    Yields:
        Each job, in order, with what was written or the error.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="avsnet")
    waiting, reading, writing = iter(jobs), deque[tuple[Job, Future[Read]]](), deque[tuple[Job, Future[Written]]]()

    def read_ahead() -> None:
        for job in islice(waiting, batch - len(reading)):
            reading.append((job, pool.submit(steps.read, job)))

    try:
        read_ahead()
        while reading:
            taken = [(job, _outcome(future.result)) for job, future in reading]
            reading.clear()
            read_ahead()
            ready = [read for _, read in taken if not isinstance(read, AvsnetError)]
            computed = iter(steps.compute(ready) if ready else ())
            for job, read in taken:
                result = read if isinstance(read, AvsnetError) else next(computed)
                if isinstance(result, AvsnetError):
                    future: Future[Written] = Future()
                    future.set_exception(result)
                else:
                    future = pool.submit(steps.write, job, read, result)  # type: ignore[arg-type]
                writing.append((job, future))
            while len(writing) > batch or (writing and writing[0][1].done()):
                job, future = writing.popleft()
                yield job, _outcome(future.result)
        while writing:
            job, future = writing.popleft()
            yield job, _outcome(future.result)
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(result: Callable[[], Outcome]) -> Outcome | AvsnetError:
    try:
        return result()
    except AvsnetError as error:
        return error


def device_of(name: str, *, half: bool = False) -> torch.device:
    """Where a network is to run.

    Args:
        name: "auto" (a GPU if there is one), or a device of torch: "cpu", "cuda", "cuda:1", "mps".
        half: whether it is to compute in half precision.

    Raises:
        OptionError: no such device here, or half precision on a CPU.
    """
    import torch

    if name == "auto":
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    else:
        try:
            device = torch.device(name)
            torch.empty(1, device=device)
        except (RuntimeError, AssertionError, NotImplementedError):  # by how torch was built
            raise OptionError(f"--device {name}: is no device of this machine; give cpu, or auto") from None
    if half and device.type == "cpu":
        raise OptionError("--half: is for a GPU, a CPU computes no faster with it; leave it out")
    return device


def batch_size(model: DepthModel) -> int:
    """How many pictures go through a network at a time: on a CPU a large one gains nothing, and takes memory."""
    weight = next(model.parameters(), None)
    on_gpu = weight is not None and weight.device.type != "cpu"
    return _BATCH if on_gpu or _is_small(model) else 1


def writing_threads() -> int:
    """How many threads read and write: as many as there are processors for this process, not above eight."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@contextmanager
def computing_threads(model: DepthModel) -> Iterator[None]:
    """Let torch use one thread for a small network, which is faster, and as many as it likes for a large one."""
    import torch

    before = torch.get_num_threads()
    if _is_small(model):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _is_small(model: DepthModel) -> bool:
    """Whether it is; of a network that is not torch's own, such as one of ONNX, nothing is known."""
    return 0 < sum(weight.numel() for weight in model.parameters()) <= _SMALL
