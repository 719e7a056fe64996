"""Workers do every task once, and do not outlive whoever started them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from avsnet.rooms.workers import spread


def square(number):
    return number * number


def test_one_worker_works_here_and_in_order():
    assert list(spread(square, range(5), 1)) == [0, 1, 4, 9, 16]
    assert list(spread(square, [], 3)) == []


@pytest.mark.slow
def test_several_workers_are_other_processes_of_one_thread_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    # A built-in function: fresh interpreters cannot import the tests.
    found = list(spread(eval, ["(__import__('os').environ['OMP_NUM_THREADS'], __import__('os').getpid())"] * 6, 2))
    assert len(found) == 6 and {count for count, _ in found} == {"1"}
    assert os.getpid() not in {pid for _, pid in found}
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from avsnet.rooms.workers import spread\n"
        "def work(number):\n"
        "    if number > 1:\n"
        "        time.sleep(300)\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    for pid in spread(work, range(12), 2):\n"
        "        print(pid, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        workers = {int(parent.stdout.readline()) for _ in range(2)}
        parent.kill()
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
