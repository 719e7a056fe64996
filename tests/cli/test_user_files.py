"""No verb replaces a file that avsnet did not write, unless it is asked to."""

import numpy as np
import pytest
import soundfile

from avsnet import cli
from avsnet.io.authorship import written_by_avsnet
from avsnet.reproduce.report import write_report


@pytest.fixture
def own(tmp_path):
    """Files of the user under names that verbs write to, and a depth map."""
    np.save(tmp_path / "a.npy", np.full((40, 60), 2.0, np.float32))
    soundfile.write(tmp_path / "a.wav", np.full((900, 2), 0.25), 44_100)
    for name in ("scores.csv", "rows.csv", "report.html", "config.yaml"):
        (tmp_path / name).write_text("mine")
    return tmp_path


VERBS = {
    "a.wav": ["echo", "{own}/a.npy", "--fov", "70", "--out", "{own}"],
    "scores.csv": ["evaluate", "--data", "{own}", "--systems", "avsnet_lite0_v", "--out", "{own}"],
    "rows.csv": ["check", "{own}", "--out", "{own}/rows.csv"],
    "report.html": ["demo", "--rooms", "1", "--out", "{own}"],
}


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_stops_before_it_replaces_a_file_of_the_user(own, capsys, name):
    before = (own / name).read_bytes()
    assert cli.main([word.format(own=own) for word in VERBS[name]]) == 2
    said = capsys.readouterr().err
    assert f"{name}: is there already and was not written by avsnet" in said and "--overwrite" in said
    assert (own / name).read_bytes() == before


def test_reproduce_stops_before_anything_is_made(own, capsys):
    assert cli.main(["reproduce", "--rooms", "--images", "2", "--out", str(own)]) == 2
    assert "report.html: is there already" in capsys.readouterr().err and not (own / "rooms").exists()


def test_training_does_not_take_a_users_settings_for_its_own(own, tmp_path_factory, capsys):
    run = tmp_path_factory.mktemp("run") / "a.yaml"
    run.write_text(
        "model: {name: batvision_unet_128, options: {ngf: 8}}\ndata: {train: 'rooms:offices:0-1', sees: false}\n"
    )
    assert cli.main(["train", str(run), "--out", str(own), "--data.batch-size", "1", "--data.size", "[128, 128]"]) == 2
    assert "config.yaml: is there already and of no run" in capsys.readouterr().err
    assert (own / "config.yaml").read_text() == "mine"


def test_what_avsnet_wrote_is_replaced_and_what_is_asked_for_too(own, capsys):
    command = ["echo", str(own / "a.npy"), "--fov", "70", "--out", str(own / "made.wav"), "--duration", "0.1"]
    assert cli.main(command) == cli.main(command) == 0
    assert written_by_avsnet(own / "made.wav")
    (own / "made.wav").write_bytes(b"mine")
    assert cli.main(command) == 2 and cli.main([*command, "--overwrite"]) == 0


def test_a_page_of_ours_is_known_by_its_generator(tmp_path):
    write_report(tmp_path / "report.html", "A page", None, [], [], [], {})
    assert written_by_avsnet(tmp_path / "report.html")
    (tmp_path / "other.html").write_text("<!doctype html><p>written about avsnet")
    assert not written_by_avsnet(tmp_path / "other.html")
