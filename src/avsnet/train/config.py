"""What a training run is: dataclasses that YAML files and the command line fill in, by `avsnet.train.config_file`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from avsnet.audio.range_axis import BATVISION_AXIS, RangeAxis
from avsnet.errors import OptionError


@dataclass
class ModelConfig:
    """Which network, and what it starts from.

    Args:
        name: one of `avsnet models`.
        weights: what to start from: nothing (fresh), "default" (packaged or cached), or a file or folder.
        options: further options of the model, such as max_depth.
        frozen: how the names of parameters begin that stay as they are, such as midas.pretrained.layer1; what lies in
            front of all that is trained costs no backward pass.
        fixed_norms: whether the batch norms of the group "encoder" keep the statistics that they start with.
    """

    name: str = "batvision_unet_256"
    weights: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)
    fixed_norms: bool = False


@dataclass
class DataConfig:
    """What is trained on, and what it is validated by.

    Args:
        train: sources, each batvision_v1:ROOT, batvision_v2:ROOT, visual_echoes:ROOT, folder:ROOT, or a ROOT that is
            recognised as one of these; rgbd:ROOT (RGB-D pairs without echoes), half_real:SOURCE (another source with
            echoes made of its depth), rooms:DOMAIN:FIRST-LAST (seeds of simulated rooms), or frames:ROOT (triplets).
        val: likewise; none at all leaves validation out. The first one decides which weights are the best.
        may_lack: sources of train and val that are left out, and said to be, where their folder is not on this disk.
        leave_out: locations of BatVision V2 from which nothing is read; its official parts share theirs.
        size: height and width of pictures and depth, pixels.
        cap: metres; deeper pixels do not count; by default the data set's own: 12 for batvision_v1 and offices, 30 for
            batvision_v2 and historic, 14.104 for visual_echoes, 10 for folder and rgbd.
        samples: length to which recordings are cut or padded, 30 m there and back unless given; null: as long as they
            are.
        align: sample at which the direct sound is put; null leaves recordings as they are (the original settings).
        hears: whether recordings are read.
        sees: whether pictures are read.
        batch_size: samples a step, of all processes together.
        workers: processes that read samples.
        flip: probability that a sample is mirrored and its ears swapped.
        jitter: probability that a picture's colours are varied.
        zoom: training pictures are read so many times larger than `size`, and of each a part is seen, from the whole to
            one over this of its sides, wherever it lies; 1 shows all of them at their size. Not for triplets.
        noise: probability that a training recording suffers what real ones do: hum, rumble, hiss, clicks, low level,
            a narrow band, another offset.
        focal: spread of the logarithm of the focal length that a network is told in training, round the true one: what
            is seen then fixes the metres less than what is heard. For networks that take intrinsics.
        shuffle_echoes: give every sample the echo of another one, in training and validation: the control.
        cache: folder in which simulated rooms and half-real echoes are kept, so that each is made once.
        rigs: half-real frames are recorded by so many rigs, each recording a sample of its own: one of the kind that
            networks are evaluated with, the others of all kinds; in validation by that one.
        oversample: simulated rooms are pictured so many times larger each way and averaged, which takes away noise.
        interval: frames from a picture to its neighbours; makes the training rows triplets, which need no depth.
        intrinsics: of triplets: a camera file, or the horizontal field of view in degrees; by default the data set's
            own camera, or where it has none, 70 degrees.
    """

    train: list[str] | str = field(default_factory=list)
    val: list[str] | str = field(default_factory=list)
    may_lack: list[str] = field(default_factory=list)
    leave_out: list[str] = field(default_factory=list)
    size: tuple[int, int] = (256, 256)
    cap: float | None = None
    samples: int | None = BATVISION_AXIS.samples
    align: int | None = BATVISION_AXIS.align
    hears: bool = True
    sees: bool = True
    batch_size: int = 16
    workers: int = 2
    flip: float = 0.5
    jitter: float = 0.5
    zoom: float = 1.0
    noise: float = 0.0
    focal: float = 0.0
    shuffle_echoes: bool = False
    cache: str | None = None
    rigs: int = 1
    oversample: int = 1
    interval: int | None = None
    intrinsics: float | str | None = None

    def __post_init__(self) -> None:
        self.train, self.val = ([text] if isinstance(text, str) else text for text in (self.train, self.val))


@dataclass
class OptimiserConfig:
    """How weights are changed.

    Args:
        name: adamw (weight decay apart from the gradient) or adam.
        lr: the largest rate.
        divisors: rate of a parameter group of the model, as lr divided by this; 0 or less freezes the group.
        weight_decay: of all parameters.
        clip: largest norm of the gradient; 0 leaves it as it is.
        schedule: onecycle (by steps), step, exponential or cosine (by epochs), or constant.
        pct_start: onecycle, share of the steps in which the rate rises.
        div_factor: onecycle, lr / first rate.
        final_div_factor: onecycle, first rate / last rate.
        period: step, epochs from one drop of the rate to the next; cosine, epochs from one restart to the next.
        gamma: factor of the rate at each drop (step) or in each epoch (exponential); cosine, of the largest at each
            restart.
        minima: cosine, the lowest rate of each parameter group; 0 where none is named.
    """

    name: Literal["adamw", "adam"] = "adamw"
    lr: float = 1e-4
    divisors: dict[str, float] = field(default_factory=dict)
    weight_decay: float = 0.01
    clip: float = 0.0
    schedule: Literal["onecycle", "step", "exponential", "cosine", "constant"] = "onecycle"
    pct_start: float = 0.7
    div_factor: float = 1.0
    final_div_factor: float = 1e4
    period: int = 15
    gamma: float = 0.1
    minima: dict[str, float] = field(default_factory=dict)


@dataclass
class PhotometricConfig:
    """Training by the loss photometric; no other loss looks at it.

    Args:
        smoothness: weight of roughness where the picture is not rough.
        auto_mask: leave out pixels that a neighbouring frame explains best unmoved: what moves along, and stops of the
            camera. Networks that start from nothing find motion far sooner without it.
        pose_weights: what the pose network starts from: nothing (fresh), a run's `model` folder, or published weights.
        pose_imagenet: file of a ResNet-18 that was trained on ImageNet, for the pose network in place of pose_weights.
    """

    smoothness: float = 1e-3
    auto_mask: bool = True
    pose_weights: str | None = None
    pose_imagenet: str | None = None


@dataclass
class TrainConfig:
    """A training run.

    Args:
        out: folder of the run.
        seed: draws the order of samples, what is varied in them, and chance inside the network.
        epochs: passes over the training rows; what does not fill a last batch is left out.
        steps: steps in all, in place of epochs.
        loss: silog, log_l1 (BITD), l1 (BatVision U-Net) or relative_l1 (abs_rel itself); or photometric, which learns
            from frames of a moving camera without their depth (Monodepth2, MonoViT, Lite-Mono); or ear, the network of
            scale_from ear.
        heard_weight: of the same loss of `as_heard`, what a network with `fuse_into` scale says if it trusts its echo
            wholly. At 0 echoes teach only as far as they are trusted, and trust can fall to nothing before they have.
        accumulate: parts into which each process divides its share of a batch, one after the other.
        precision: 32-true, bf16-mixed or 16-mixed.
        validate_every: epochs from one validation to the next, such as 0.25; the last step is followed by one, too.
        save_every: steps from one checkpoint to the next.
        log_every: steps from one line of the log to the next.
        pictures: how many samples are drawn at each validation.
        accelerator: auto, cpu or gpu.
        devices: processes on each machine.
        nodes: machines.
        resume: go on from the checkpoint in `out`, if there is one.
        model: the network.
        data: the samples.
        optimiser: how weights are changed.
        photometric: settings of the photometric loss.
    """

    out: str = "run"
    seed: int = 0
    epochs: int = 5
    steps: int | None = None
    loss: Literal["silog", "log_l1", "l1", "relative_l1", "photometric", "ear"] = "silog"
    heard_weight: float = 0.0
    accumulate: int = 1
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    validate_every: float = 1.0
    save_every: int = 500
    log_every: int = 50
    pictures: int = 4
    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    resume: bool = False
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    photometric: PhotometricConfig = field(default_factory=PhotometricConfig)

    def __post_init__(self) -> None:
        data, optimiser = self.data, self.optimiser
        for name, value, least in (
            ("seed", self.seed, 0),
            ("epochs", self.epochs, 1),
            ("steps", 1 if self.steps is None else self.steps, 1),
            ("accumulate", self.accumulate, 1),
            ("save_every", self.save_every, 1),
            ("log_every", self.log_every, 1),
            ("pictures", self.pictures, 0),
            ("devices", self.devices, 1),
            ("nodes", self.nodes, 1),
            ("data.batch_size", data.batch_size, 1),
            ("data.workers", data.workers, 0),
            ("optimiser.period", optimiser.period, 1),
            ("data.oversample", data.oversample, 1),
            ("data.rigs", data.rigs, 1),
            ("data.interval", 1 if data.interval is None else data.interval, 1),
        ):
            if value < least:
                raise OptionError(f"{name} is {value}, but must be a whole number from {least}")
        if data.shuffle_echoes and not data.hears:
            raise OptionError("data.shuffle_echoes with data.hears false: there are no echoes to shuffle; leave it out")
        RangeAxis(data.samples, data.align)
        sources = (*data.train, *data.val)
        strange = [source for source in data.may_lack if source not in sources]
        if strange:
            raise OptionError(
                f"data.may_lack names {strange[0]!r}, which is no source of train or val; give it anew, such as []"
            )
        if data.leave_out and not any(text.startswith("batvision_v2:") or Path(text).is_dir() for text in sources):
            raise OptionError("data.leave_out names locations of BatVision V2, but no source is batvision_v2:ROOT")
        if data.interval is not None and (data.hears or not data.sees):
            raise OptionError("data.interval makes triplets of pictures; give data.hears: false and data.sees: true")
        if (data.interval is not None) != (self.loss == "photometric"):
            raise OptionError(
                f"loss {self.loss} with data.interval {data.interval}: triplets and the loss photometric need each "
                "other; give both, such as data.interval 20, or neither"
            )
        if not 1.0 <= data.zoom <= 8.0 or (data.zoom > 1.0 and data.interval is not None):
            raise OptionError(f"data.zoom is {data.zoom}, but must be 1 to 8, and 1 with data.interval")
        for name, chance in (("data.flip", data.flip), ("data.jitter", data.jitter), ("data.noise", data.noise)):
            if not 0.0 <= chance <= 1.0:
                raise OptionError(f"{name} is {chance}, but must be a probability within 0..1")
        for name, number in (
            ("heard_weight", self.heard_weight),
            ("data.focal", data.focal),
            ("optimiser.weight_decay", optimiser.weight_decay),
            ("optimiser.clip", optimiser.clip),
            ("photometric.smoothness", self.photometric.smoothness),
        ):
            if not 0.0 <= number < float("inf"):
                raise OptionError(f"{name} is {number}, but must be 0 or more")
        for name, number in (
            ("validate_every", self.validate_every),
            ("optimiser.lr", optimiser.lr),
            ("optimiser.gamma", optimiser.gamma),
        ):
            if not 0.0 < number < float("inf"):
                raise OptionError(f"{name} is {number}, but must be above 0")
