"""`avsnet app` refuses what cannot be a page, in one line."""

import socket
import sys

import pytest

from avsnet.cli import main


def test_a_port_that_is_taken_is_named(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["app", "--port", str(port)]) == 2
    assert f"port {port}: cannot be used" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "70000"])
def test_a_number_that_is_no_port_is_refused(port, capsys):
    assert main(["app", "--port", port]) == 2
    assert "from 1 to 65535" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["app", "--port", "17861"]) == 2
    assert "pip install 'avsnet[app]'" in capsys.readouterr().err
