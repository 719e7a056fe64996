"""The real command on a miniature BatVision pair in the true layouts, made by the simulator."""

import csv
import shutil

import pytest

from avsnet import cli
from avsnet.models import create_model
from avsnet.rooms.writer import Plan, write_dataset
from avsnet.weights import PACKAGED

TABLES = ("table1", "table2", "table3", "gap")


# Recordings of BatVision tell no camera, and the packaged pair wants one.
pytestmark = pytest.mark.filterwarnings("ignore:.*no camera known")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    root = tmp_path_factory.mktemp("batvision")
    for plan in (
        Plan("offices", 3, 2, layout="v1", size=(36, 64)),
        Plan("historic", 2, 6, layout="v2", size=(36, 64)),
    ):
        write_dataset(plan, root / plan.layout, progress=False)
    create_model("lite_mono").save_pretrained(root / "weights" / "lite_mono")
    create_model("bitd", width=32).save_pretrained(root / "weights" / "bitd")
    for kind in ("av", "v"):
        shutil.copytree(PACKAGED / f"avsnet_lite0_{kind}", root / "weights" / f"avsnet_lite0_{kind}_left_out")
    return root


def reproduce(pair, out, *flags):
    roots = ["--bv1", str(pair / "v1"), "--bv2", str(pair / "v2"), "--weights", str(pair / "weights")]
    roots += ["--left-out", min(path.name for path in (pair / "v2").iterdir())]
    return cli.main(["reproduce", *roots, "--out", str(out), *flags])


@pytest.fixture(scope="module")
def out(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "paper"
    assert reproduce(pair, folder) == 0
    return folder


def test_every_table_figure_and_the_report_come_out(out):
    names = {path.name for path in out.iterdir()}
    assert {f"{table}.{suffix}" for table in TABLES for suffix in ("md", "tex", "csv")} <= names
    assert {f"figure{number}_{part}.png" for number in (2, 3) for part in ("v1", "v2")} <= names
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "official test splits" in report and "not run: needs weights of newcrfs_large07" in report
    assert "avsnet_lite0_av is the packaged one, trained on NYU" in report


def test_the_readers_caps_splits_and_rows_are_the_data_sets_own(out):
    for part, cap, rows in (("v1", "12", 2), ("v2", "30", 2)):
        text = (out / part / "scores.csv").read_text(encoding="utf-8")
        assert f"# mask: 0 < truth <= {cap} m" in text and f"# data: batvision_{part}:{part}:test, {rows} rows" in text


def test_every_row_of_a_location_left_out_tests_what_was_trained_without_it(out):
    text = (out / "v2-left-out" / "scores.csv").read_text(encoding="utf-8")
    assert (
        "# data: batvision_v2:v2:historic_1000000, 6 rows" in text and text.count("avsnet_lite0_av_left_out,none,") == 6
    )
    assert "locations left out in training" in (out / "table3.md").read_text(encoding="utf-8")


def test_what_has_weights_is_scored_under_every_scaling_and_the_rest_is_not(out):
    with (out / "v1" / "summary.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith("#")]
    found = {(row["system"], row["scaling"]): int(row["images"]) for row in csv.DictReader(lines)}
    scalings = ("none", "median:avsnet_lite0_v", "median:avsnet_lite0_av", "ranging", "oracle_median")
    assert {("lite_mono", scaling) for scaling in scalings} | {("bitd", "none")} <= found.keys()
    assert found["avsnet_lite0_av", "none"] == found["lite_mono", "median:avsnet_lite0_av"] == 2
    assert not any(system == "monovit" for system, _ in found)


@pytest.mark.slow
def test_three_shards_merged_give_the_bytes_of_one_run(pair, out, tmp_path, capsys):
    for shard in ("1/3", "2/3", "3/3"):
        assert reproduce(pair, tmp_path / "parts", "--shard", shard) == 0
    assert reproduce(pair, tmp_path / "parts", "--merge") == 0
    for name in ("v1/scores.csv", "v2/scores.csv", "v1/intervals.csv", "table1.csv", "table2.md", "gap.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (out / name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--bv1", "v2"], "--bv1 v2: wanted BatVision V1, found batvision_v2:v2"),
        (["--bv2", "v1"], "--bv2 v1: wanted BatVision V2, found batvision_v1:v1"),
        (["--bv1", "v1", "--weights", "wieghts"], "--weights wieghts: no such folder"),
        (["--bv1", "v1", "--av", "lite_mono"], "--av is 'lite_mono', but must be an AVS-Net"),
        (["--bv1", "v1", "--v", "avsnet_lite0_av"], "--v is 'avsnet_lite0_av', but must be an AVS-Net"),
        (["--rooms", "--models", "depth_anything"], "unknown model 'depth_anything'"),
    ],
)
def test_what_cannot_play_its_part_is_refused_before_anything_is_made(pair, monkeypatch, tmp_path, capsys, flags, told):
    monkeypatch.chdir(pair)
    assert cli.main(["reproduce", *flags, "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"avsnet: error: {told}")
    assert not (tmp_path / "out").exists()
