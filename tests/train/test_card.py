"""What a run's card tells of the code."""

import os
import subprocess

from avsnet.train.card import _git


def test_asking_what_has_changed_writes_nothing_into_the_repository(tmp_path):
    """A lock that git takes to refresh its index would stay behind where the disk is full."""
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "a"]):
        (tmp_path / "a.txt").write_text("a")
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    os.utime(tmp_path / "a.txt", (1, 1))  # alike, but git must look to know
    index = (tmp_path / ".git" / "index").read_bytes()
    assert _git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / ".git" / "index").read_bytes() == index
