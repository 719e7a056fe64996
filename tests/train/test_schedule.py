import pytest
import torch

from avsnet.errors import OptionError
from avsnet.train.config import OptimiserConfig
from avsnet.train.module import rate_groups
from avsnet.train.schedule import epoch_rate, schedule_of


def rates(settings, epochs, steps_per_epoch=3):
    """The rate of every group in every step."""
    groups = {name: [torch.nn.Parameter(torch.zeros(1))] for name in ("pose", "encoder", "decoder")}
    optimiser = torch.optim.AdamW(rate_groups(groups, settings), lr=settings.lr)
    schedule = schedule_of(optimiser, settings, epochs * steps_per_epoch, steps_per_epoch)
    found = []
    for _ in range(epochs * steps_per_epoch):
        found.append({group["name"]: group["lr"] for group in optimiser.param_groups})
        optimiser.step()
        schedule.step()
    return found


def test_monodepth2_has_its_first_rate_for_fifteen_epochs_and_a_tenth_after_them():
    found = [step["decoder"] for step in rates(OptimiserConfig(lr=1e-4, schedule="step"), 20)]
    assert found == pytest.approx([1e-4] * 45 + [1e-5] * 15)


def test_monovit_has_nine_tenths_of_the_rate_in_every_epoch_and_half_of_it_in_its_encoder():
    settings = OptimiserConfig(lr=1e-4, schedule="exponential", gamma=0.9, divisors={"encoder": 2.0})
    found = rates(settings, 3)
    assert [step["pose"] for step in found] == pytest.approx([1e-4] * 3 + [9e-5] * 3 + [8.1e-5] * 3)
    assert [step["encoder"] for step in found] == pytest.approx([5e-5] * 3 + [4.5e-5] * 3 + [4.05e-5] * 3)


def test_lite_mono_falls_by_a_cosine_to_a_least_rate_of_each_group_and_starts_again_lower():
    minima = {"encoder": 5e-6, "decoder": 5e-6, "pose": 1e-5}
    settings = OptimiserConfig(lr=1e-4, schedule="cosine", period=31, gamma=0.9, minima=minima)
    found = rates(settings, 31, steps_per_epoch=2)
    assert found[0]["decoder"] == found[1]["decoder"] == pytest.approx(9.976e-5, rel=1e-4)
    assert found[2 * 29]["encoder"] == pytest.approx(5.24e-6, rel=1e-3)
    assert found[2 * 30]["decoder"] == pytest.approx(9e-5)
    assert found[2 * 29]["pose"] == pytest.approx(1e-5 + 9e-5 * (5.2436e-6 - 5e-6) / 9.5e-5, rel=1e-3)
    # One period on, the largest rate is 0.9 of 0.9 of it.
    assert epoch_rate(settings, 61, 1e-4, 5e-6) == pytest.approx(8.1e-5)


def test_a_least_rate_of_a_group_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match=r"optimiser\.minima: there is no group 'rest', only pose, encoder, decoder"):
        rates(OptimiserConfig(schedule="cosine", minima={"rest": 1e-5}), 1)
