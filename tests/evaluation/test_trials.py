import pytest

from avsnet.errors import OptionError
from avsnet.evaluation.protocol import ORACLES
from avsnet.evaluation.trials import Scaling, System, Trial, every_pair
from avsnet.scale.rules import METHODS


@pytest.mark.parametrize(
    ("text", "system", "label"),
    [
        ("bitd", System("bitd"), "bitd"),
        ("bitd=runs/7/weights", System("bitd", "runs/7/weights"), "bitd=weights"),
        ("bitd@shuffled", System("bitd", echo="shuffled"), "bitd@shuffled"),
        ("bitd=a/b.pt@late", System("bitd", "a/b.pt", "late"), "bitd=b.pt@late"),
        ("onnx:x/odd@home=1.onnx", System("onnx:x/odd@home=1.onnx"), "onnx:odd@home=1"),
        ("onnx:net.onnx@silent", System("onnx:net.onnx", echo="silent"), "onnx:net@silent"),
    ],
)
def test_a_system_is_read_and_labelled(text, system, label):
    assert System.parse(text) == system
    assert system.label == label


@pytest.mark.parametrize("text", ["", "@true", "=w", "bitd@loud"])
def test_what_is_no_system_is_refused(text):
    with pytest.raises(OptionError, match="system"):
        System.parse(text)


@pytest.mark.parametrize("rule", ["none", "ranging", *ORACLES])
def test_a_scaling_that_stands_alone_is_read(rule):
    assert Scaling.parse(rule) == Scaling(rule)
    with pytest.raises(OptionError):
        Scaling.parse(f"{rule}:bitd")


@pytest.mark.parametrize("rule", list(METHODS))
def test_a_rule_needs_whose_metres_it_takes(rule):
    assert Scaling.parse(f"{rule}:onnx:a.onnx").reference == System("onnx:a.onnx")
    with pytest.raises(OptionError, match="RULE:SYSTEM"):
        Scaling.parse(rule)


def test_every_pair_leaves_out_a_map_scaled_by_itself_and_does_not_depend_on_the_order():
    systems = [System("b"), System("a")]
    scalings = [Scaling.parse("median:a"), Scaling()]
    pairs = every_pair(systems, scalings)
    assert Trial(System("a"), Scaling.parse("median:a")) not in pairs
    assert len(pairs) == 3
    assert pairs == every_pair(systems[::-1], scalings[::-1] * 2)


def test_under_auto_a_network_that_hears_gets_the_echo_that_the_ear_gets(models):
    systems = [System("avsnet_tiny_av"), System("toy_shape")]
    pairs = every_pair(systems, [Scaling.parse("auto"), Scaling.parse("auto@shuffled")])
    found = [(trial.system.label, trial.scaling.label, trial.scaling.reference is None) for trial in pairs]
    assert found == [
        ("avsnet_tiny_av", "auto", True),
        ("avsnet_tiny_av@shuffled", "auto@shuffled", True),
        ("toy_shape", "auto", False),
        ("toy_shape", "auto@shuffled", False),
    ]
    asked = every_pair([System("avsnet_tiny_av", echo=echo) for echo in ("late", "unaligned")], [Scaling.parse("auto")])
    assert [(trial.system.label, trial.scaling.label) for trial in asked] == [
        ("avsnet_tiny_av@late", "auto@late"),
        ("avsnet_tiny_av@unaligned", "auto"),
    ]


def test_unaligned_switches_the_models_own_alignment_off(models):
    assert System("toy_av").build().audio.align_to == 299
    assert System("toy_av", echo="unaligned").build().audio.align_to is None
    with pytest.raises(OptionError, match="toy_v aligns nothing"):
        System("toy_v", echo="unaligned").build()


@pytest.mark.parametrize(
    ("text", "scaling"),
    [
        ("grid:avsnet_lite0_av+ear", Scaling("grid", System("avsnet_lite0_av"), ear=True)),
        (
            "log_affine:bitd=runs/7@shuffled+ear",
            Scaling("log_affine", System("bitd", "runs/7", "shuffled"), "shuffled", ear=True),
        ),
        ("log_affine:ear", Scaling("log_affine", ear=True)),
        ("log_affine:ear@shuffled", Scaling("log_affine", echo="shuffled", ear=True)),
    ],
)
def test_a_rule_whose_scale_the_ear_sets_is_read_and_labelled(text, scaling):
    assert Scaling.parse(text) == scaling
    assert scaling.label == text.replace("runs/", "")


def test_one_factor_of_two_maps_is_nothing_to_ask_the_ear_for():
    assert Scaling.parse("median:ear").reference == System("ear")
    assert Scaling.parse("median:a+ear").reference == System("a+ear")
