"""What a stranger's file is called does not command the terminal."""

import sys

import pytest

from avsnet import cli
from avsnet.cli.printed import printable

ESCAPE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp"


@pytest.mark.parametrize("text", ["plain", "ünïcode ☃ 深度", "two\nlines\tand a tab"])
def test_text_is_printed_as_it_is(text):
    assert printable(text) == text


def test_commands_are_written_out():
    shown = printable(ESCAPE)
    assert shown == r"\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp"
    assert printable("a\rb") == r"a\rb" and printable("a\rb", keeps="\r") == "a\rb"


@pytest.mark.parametrize(
    "words",
    [
        ["predict", f"{ESCAPE}.png", "--out", "out"],
        ["scale", f"{ESCAPE}.npy", "--kind", "disparity", "--echo", "a.wav", "--out", "out"],
        ["check", ESCAPE],
        [ESCAPE],
        ["evaluate", "--data", f"folder:{ESCAPE}", "--systems", "avsnet_lite0_v", "--out", "out"],
        ["evaluate", "--data", "rooms:offices:0-1", "--systems", f"onnx:{ESCAPE}", "--out", "out"],
    ],
)
def test_no_verb_prints_a_name_raw(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sys.stdout, sys.stderr
    assert cli.main(words) in (1, 2)
    assert (sys.stdout, sys.stderr) == before
    said = "".join(capsys.readouterr())
    assert "\x1b" not in said and "\u202e" not in said and "\\x1b[2J" in said
