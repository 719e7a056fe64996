"""The paper's tables and figures, made of toys whose scores are known."""

import csv
import re
import shutil
import xml.etree.ElementTree

import numpy as np
import pytest
from PIL import Image

from avsnet.errors import OptionError
from avsnet.evaluation.instances import Cases
from avsnet.evaluation.trials import System, Trial
from avsnet.reproduce.paper import TABLE_1, TABLE_2
from avsnet.reproduce.run import reproduce
from avsnet.reproduce.table_rows import LEFT_OUT, Cast, Line, plan
from avsnet.reproduce.tables import Gain, Results, _means
from places import SHARED


@pytest.fixture(scope="module")
def cast(paper_models):
    return Cast("toy_av", "toy_v", paper_models, extra=(System("toy_open"),), grouped=True)


@pytest.fixture(scope="module")
def done(cast, rooms, tmp_path_factory):
    cases = {"V2": Cases(rooms(8), "halls", 30.0), "V1": Cases(rooms(7), "offices", 12.0)}
    out = tmp_path_factory.mktemp("run")
    return reproduce(cases, cast, out, title="Toys"), out


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_row_of_the_paper_has_a_line_and_the_papers_numbers(cast):
    lines = plan(cast, ["V1", "V2"])
    found = {line.paper for line in lines if line.paper}
    assert found == {*TABLE_1.values(), *TABLE_2.values()}


def test_a_row_without_weights_says_what_to_fetch_where_and_under_which_licence(cast):
    missing = {line.method: line.missing for line in plan(cast, ["V1"]) if line.table == 2 and line.trial is None}
    assert missing.keys() == {"MonoViT", "NeWCRFs"}
    assert missing["NeWCRFs"] == "not run: needs weights of newcrfs_large07: its authors' page (research only)"


def test_without_the_scaling_pair_every_scaled_row_is_not_run(cast, tmp_path):
    lines = plan(Cast("toy_av", "toy_v", tmp_path / "nothing"), ["V1"])
    assert all(line.trial is None for line in lines if line.variant in ("Baseline", "Proposed"))


def test_what_predict_does_with_an_echo_has_a_row_and_another_images_echo_as_its_control(cast):
    rows = {line.variant: line.trial for line in plan(cast, ["V1"]) if line.method == "Monodepth2"}
    own, other = rows["auto"].scaling, rows["auto, another image's echo"].scaling
    assert (own.label, other.label) == ("auto", "auto@shuffled")
    # The metres next to the ear are those of the table's own network, whose name a packaged one may share.
    assert own.reference == cast.system("toy_av") and other.reference == cast.system("toy_av", "shuffled")


def test_the_tables_hold_what_is_known_of_the_toys(done):
    _, out = done
    table = {(row["block"], row["method"], row["input or scaling"]): row for row in rows_of(out / "table1.csv")}
    assert table["V2 -> V1", "AVS-Net", "AV"]["Abs Rel"] == "0.000 / 0.277"
    by_hand = np.mean([abs(4.0 - d) / d for d in (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5)])
    assert float(table["V2 -> V1", "AVS-Net", "V"]["Abs Rel"].split(" / ")[0]) == pytest.approx(by_hand, abs=6e-4)
    second = {(row["method"], row["input or scaling"]): row for row in rows_of(out / "table2.csv")}
    assert second["Monodepth2", "Proposed"]["Abs Rel"] == "0.000 / 0.289"
    assert second["MonoViT", "Baseline"]["Abs Rel"] == "- / 0.320"
    assert "- MonoViT, w/o: not run: needs weights of monovit" in (out / "table2.md").read_text()
    assert second["toy_open", "Proposed"]["Abs Rel"] == "0.000 / -"
    third = {(row["block"], row["input or scaling"]): row for row in rows_of(out / "table3.csv")}
    assert float(third["V2 -> V2", "another image's echo"]["Abs Rel"]) > 0.2
    assert (
        third["V2 -> V2", "silence"]["Abs Rel"] == f"{np.mean([abs(4.0 - d - 1.5) / (d + 1.5) for d in range(8)]):.3f}"
    )
    assert third["V2 -> V2, cued rooms", "AV"]["images"] == "4"


def test_a_map_bent_towards_what_sees_right_is_as_right_and_only_the_ear_may_spoil_it(done):
    _, out = done
    second = {(row["method"], row["input or scaling"]): row for row in rows_of(out / "table2.csv")}
    names = ("finer", "finer, V", "finer, then ear")
    bent, visual, heard = (float(second["Monodepth2", name]["Abs Rel"].split(" / ")[0]) for name in names)
    assert bent < 0.01 < visual and heard >= bent
    assert ("toy_open", "finer") not in second


def test_the_gap_is_closed_wholly_by_a_perfect_ear(done):
    _, out = done
    for row in rows_of(out / "gap.csv"):
        if row["model"] in ("Monodepth2", "AVS-Net, V2 -> V1"):
            assert row["of the gap"] == "100%"
            assert (float(row["AV - V"]) < 0) == (row["metric"] == "Abs Rel")


def test_best_is_marked_in_every_format_and_never_the_oracle(done):
    _, out = done
    proposed = next(
        line
        for line in (out / "table2.md").read_text(encoding="utf-8").splitlines()
        if "| Monodepth2 | Proposed" in line
    )
    assert "**0.000 / 0.289**" in proposed and "<u>" in proposed
    oracle = next(
        line for line in (out / "table2.md").read_text(encoding="utf-8").splitlines() if "| Monodepth2 | oracle" in line
    )
    assert "**" not in oracle
    assert r"\underline{\textbf{0.000 / 0.289}}" in (out / "table2.tex").read_text()
    assert "<u><b>0.000 / 0.289</b></u>" in (out / "report.html").read_text()


def test_every_file_is_there_and_whole(done):
    outcome, out = done
    for name in ("table1", "table2", "table3", "gap"):
        lines = (out / f"{name}.tex").read_text().splitlines()
        widths = {line.count("&") for line in lines if "&" in line and "multicolumn" not in line}
        assert len(widths) == 1
        table = [line for line in (out / f"{name}.md").read_text().splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in table}) == 1
    for name in ("figure2_v1", "figure3_v1", "figure3_v1_finer", "figure2_v2", "figure3_v2"):
        with Image.open(out / f"{name}.png") as picture:
            assert picture.width > 500
        xml.etree.ElementTree.parse(out / f"{name}.svg")
    assert outcome.report == out / "report.html"
    assert any("NeWCRFs" in reason for reason in outcome.not_run)


def test_the_report_needs_nothing_beside_it_and_holds_every_table_figure_and_choice(done):
    _, out = done
    page = (out / "report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for text in (
        "Table 1",
        "Table 2",
        "Table 3",
        "Figure 2",
        "Figure 3",
        "mask: 0 &lt; truth &lt;= 12 m",
        "weights_hash",
    ):
        assert text in page
    assert "1.00, 0.00" not in page


def test_rows_that_were_not_run_are_folded_away_in_every_format(done):
    _, out = done
    page, markdown = (out / "report.html").read_text(), (out / "table2.md").read_text()
    for text in (page, markdown):
        shown = re.sub("<details>.*?</details>", "", text, flags=re.S)
        assert "MonoViT" in text and "NeWCRFs" not in shown and "not run" not in shown
    assert re.search(r"<summary>\d+ rows were not run", markdown)
    tex = (out / "table2.tex").read_text().splitlines()
    assert all(line.startswith("%") for line in tex if "MonoViT" in line) and any("MonoViT" in line for line in tex)


def test_the_report_begins_with_three_numbers_and_one_example(done):
    _, out = done
    page = (out / "report.html").read_text()
    top = page[: page.index("<nav>")]
    by_hand = np.mean([abs(4.0 - d) / d for d in (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5)])
    assert f"<b>{by_hand:.2f} → 0.00</b>" in top and "<b>100%</b>" in top
    assert top.count("<figure>") == 4 and "An echo tells how large the scene is" in top
    assert "overflow-x" not in page


@pytest.fixture(scope="module")
def seeds(paper_models, rooms, tmp_path_factory):
    """A run with three trainings of V, which take rooms for 4, 5 and 6 m, and of AV, which are never wrong."""
    folder = tmp_path_factory.mktemp("seeds")
    weights = folder / "weights"
    shutil.copytree(paper_models, weights)
    for seed, metres in ((1, "5"), (2, "6")):
        (weights / f"toy_av_seed{seed}").write_text("weights")
        (weights / f"toy_v_seed{seed}").write_text(metres)
    cast = Cast("toy_av", "toy_v", weights)
    reproduce({"V1": Cases(rooms(7), "offices", 12.0)}, cast, folder / "out", title="Toys")
    return folder / "out"


def by_metres(metres):
    return np.mean([abs(metres - d) / d for d in (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5)])


def test_the_weights_of_further_seeds_show_their_mean_and_spread(seeds):
    table = {(row["block"], row["input or scaling"]): row for row in rows_of(seeds / "table1.csv")}
    assert table["V2 -> V1", "AV"]["Abs Rel over seeds"] == "0.000 (0.000…0.000 of 3)"
    errors = sorted(by_metres(metres) for metres in (4, 5, 6))
    wanted = f"{np.mean(errors):.3f} ({errors[0]:.3f}…{errors[2]:.3f} of 3)"
    assert table["V2 -> V1", "V"]["Abs Rel over seeds"] == wanted
    third = {(row["block"], row["input or scaling"]): row for row in rows_of(seeds / "table3.csv")}
    # By the true median every training of a flat toy is right, and silence is asked of the first alone.
    assert third["V2 -> V1", "scaled by the truth (oracle)"]["Abs Rel over seeds"] == "0.000 (0.000…0.000 of 3)"
    assert third["V2 -> V1", "silence"]["Abs Rel over seeds"] == "-"


def test_what_the_echo_gains_is_also_told_of_the_mean_over_trainings(seeds):
    gains = {row["model"]: row for row in rows_of(seeds / "gap.csv") if row["metric"] == "Abs Rel"}
    errors = [by_metres(metres) for metres in (4, 5, 6)]
    first, mean = gains["AVS-Net, V2 -> V1"], gains["AVS-Net, V2 -> V1, mean of 3 training runs"]
    assert (first["V"], mean["V"]) == (f"{errors[0]:.3f}", f"{np.mean(errors):.3f}")
    assert mean["AV - V"] == f"{-np.mean(errors):+.3f}" and mean["of the gap"] == "100%"
    assert first["AV - V over seeds"] == "-"
    assert mean["AV - V over seeds"] == f"{-max(errors):+.3f}…{-min(errors):+.3f}"
    assert gains["Monodepth2, mean of 3 training runs"]["V"] == f"{np.mean(errors):.3f}"


def test_a_run_of_one_training_has_no_columns_of_seeds(done):
    _, out = done
    assert not any("seeds" in column for name in ("table1", "gap") for column in rows_of(out / f"{name}.csv")[0])


def test_shards_merged_give_the_tables_of_one_run(done, cast, rooms, tmp_path):
    _, whole = done
    cases = {"V2": Cases(rooms(8), "halls", 30.0), "V1": Cases(rooms(7), "offices", 12.0)}
    parts = tmp_path / "parts"
    for place in (1, 2):
        assert reproduce(cases, cast, parts, title="Toys", shard=(place, 2)) is None
    reproduce(cases, cast, parts, title="Toys", merged=True)
    for name in ("table1.csv", "table2.csv", "table3.csv", "gap.csv", "v1/scores.csv", "v2/intervals.csv"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_with_nothing_to_run_the_error_says_what_to_fetch(paper_models, rooms, tmp_path):
    cases = {"V1": Cases(rooms(), "offices", 12.0)}
    with pytest.raises(OptionError, match="no row can be run: not run: "):
        reproduce(cases, Cast("toy_av", "toy_v", tmp_path / "nothing"), tmp_path / "out", title="Toys")
    assert not (tmp_path / "out").exists()


def test_data_for_which_nothing_has_weights_does_not_stop_the_rest(paper_models, rooms, tmp_path):
    cases = {"V2": Cases(rooms(8), "halls", 30.0), LEFT_OUT: Cases(rooms(7), "attic", 30.0)}
    for name in ("toy_av_left_out", "toy_v_left_out"):
        (tmp_path / "weights" / name).mkdir(parents=True)
    found = reproduce(cases, Cast("toy_av", "toy_v", tmp_path / "weights"), tmp_path / "out", title="Toys")
    assert (tmp_path / "out" / LEFT_OUT.lower() / "scores.csv").is_file() and not (tmp_path / "out" / "v2").exists()
    assert any(reason.startswith("AVS-Net: not run") for reason in found.not_run)


def test_the_papers_numbers_are_those_of_its_page():

    page = SHARED / "specs" / "paper.md"
    if not page.is_file():
        pytest.skip("the paper's page is not beside the checkout")
    printed = []
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")][-7:]
        if len(cells) == 7 and all(re.fullmatch(r"-|\d\.\d{3}", cell) for cell in cells):
            printed.append(tuple(None if cell == "-" else float(cell) for cell in cells))
    assert printed == [*TABLE_1.values(), *TABLE_2.values()]


def test_a_gain_is_of_the_images_that_all_its_rows_have():
    names = {"V": (1.0, 3.0), "AV": (0.5,), "oracle": (0.25, 9.0)}
    rows = [
        {"system": name, "scaling": "none", "id": f"{place}", "group": f"{place}", "subset": "", "abs_rel": f"{value}"}
        for name, values in names.items()
        for place, value in enumerate(values)
    ]
    v, av, best = (Line(1, "b", name, "", "V1", Trial(System(name))) for name in names)
    found = _means(Gain("net", v, av, best), "abs_rel", Results({"V1": rows}))
    assert found == [1.0, 0.5, 0.25]
