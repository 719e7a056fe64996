"""The benchmarks run as they are called, and the committed table is what they write."""

import csv
import subprocess
import sys

import pytest

from avsnet.models import create_model
from avsnet.train.config import TrainConfig
from avsnet.train.config_file import write_config
from places import ROOT

pytestmark = pytest.mark.slow

FIELDS = ["domain", "seed", "condition", "error", "prior", "confidence", "second", "refused"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two rooms, one of each domain: what was printed, and the rows written."""
    out = tmp_path_factory.mktemp("benchmark") / "rooms.csv"
    command = [sys.executable, str(ROOT / "benchmarks" / "echo_scale.py"), "--rooms", "1", "--workers", "1"]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return done.stdout, reader.fieldnames, rows


@pytest.fixture(scope="module")
def committed():
    with (ROOT / "results" / "echo_scale_rooms.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_rooms_benchmark_writes_its_header_and_a_row_per_condition_and_domain(run, committed):
    _, header, rows = run
    assert header == FIELDS
    conditions = {row["condition"] for row in committed}
    assert len(conditions) >= 5
    assert {"true shape", "10 % shape error"} <= conditions
    expected = {(domain, condition) for domain in ("offices", "historic") for condition in conditions}
    assert len(rows) == len(expected)
    assert {(row["domain"], row["condition"]) for row in rows} == expected
    for row in rows:
        assert 0.0 <= float(row["confidence"]) <= 1.0
        assert row["refused"] in "01"


def test_the_rooms_benchmark_prints_every_condition_and_what_it_ran_on(run):
    printed, _, rows = run
    for row in rows:
        assert f"{row['condition']}, {row['domain']}" in printed
        assert f"{row['condition']}, both" in printed
    assert f"seeds {rows[0]['seed']} to {rows[0]['seed']}" in printed


def test_the_committed_table_is_what_the_benchmark_writes(run, committed):
    table = {(row["domain"], row["seed"], row["condition"]): row for row in committed}
    for row in run[2]:
        kept = table[row["domain"], row["seed"], row["condition"]]
        assert row["refused"] == kept["refused"]
        for field, allowed in (("error", 0.01), ("prior", 0.001), ("confidence", 0.02)):
            assert float(row[field] or "nan") == pytest.approx(float(kept[field] or "nan"), abs=allowed, nan_ok=True)


def test_the_data_benchmark_holds_both_sides_to_the_same_outputs_and_prints_ratios():
    command = [sys.executable, str(ROOT / "benchmarks" / "data_throughput.py"), "--copies", "16", "--turns", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr  # outputs that differ would have stopped it
    assert done.stdout.count("outputs differ by") == 2 and done.stdout.count("avsnet, with echo") == 2
    assert "memory: " in done.stdout


def test_the_self_supervised_benchmark_finds_a_fresh_network_as_good_as_a_constant_map(tmp_path):
    create_model("lite_mono", input_size=(96, 128)).save_pretrained(tmp_path / "run" / "model")
    write_config(TrainConfig(epochs=1), tmp_path / "run" / "config.yaml")
    (tmp_path / "run" / "metrics.csv").write_text("step,loss\n1,0.05\n")
    (tmp_path / "run" / "validation.csv").write_text("step,abs_rel\n1,0.4\n")
    command = [sys.executable, str(ROOT / "benchmarks" / "self_supervised.py"), f"lite_mono={tmp_path / 'run'}"]
    done = subprocess.run([*command, "--rooms", "2", "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "table.csv").open(newline="") as file:
        constant, *others = csv.DictReader(file)
    assert len(others) == 2
    for row in others:
        assert float(row["abs_rel"]) == pytest.approx(float(constant["abs_rel"]), rel=0.02)
    assert (tmp_path / "curves.png").exists()


@pytest.mark.parametrize(
    ("benchmark", "flags"), [("ear_scale", []), ("real_recording", []), ("data_throughput", ["--shared"])]
)
def test_a_benchmark_without_the_shared_data_ends_in_one_line_that_says_what_it_is(benchmark, flags, tmp_path):
    words = [sys.executable, str(ROOT / "benchmarks" / f"{benchmark}.py"), *flags, str(tmp_path / "none")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "docs/shared_data.md" in done.stderr
    assert (ROOT / "docs" / "shared_data.md").exists()
