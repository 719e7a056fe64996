"""Third-party depth-estimation models of Hugging Face's transformers behind the model contract.

A model is a folder as `save_pretrained` writes it: config.json, preprocessor_config.json, model.safetensors. An ID of
the hub is first looked for on this machine and fetched only where it is not there, so what was fetched once works
offline. What the numbers mean is declared by class: Depth Anything says itself whether it gives metres; ZoeDepth and
GLPN give metres, DPT (MiDaS) inverse depth up to scale and shift; Depth Pro gives inverse depth over the focal length
in picture widths, and metres where it also tells the field of view. Pictures and maps are resized by the filters of
the model's own image processor. Code from the hub is never run.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from avsnet.errors import ModelError, OptionError
from avsnet.models.contract import DepthModel
from avsnet.models.info import OUTPUT_KINDS, ModelInfo
from avsnet.models.resize import checked_image
from avsnet.weights import weights_hash, what_else

WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
"""Files of weights, the preferred ones first; a `.bin` is a pickle, of which transformers reads tensors only."""

CONFIGURATIONS = ("config.json", "preprocessor_config.json", "processor_config.json")
"""Files that say what the network is, and how a picture comes to it."""

_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by PIL's numbers
_PLAIN = {"bilinear": "linear", "bicubic": "cubic"}  # the same without widening
_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
# The first fusion layer has no second input: the published MiDaS files leave its weights out.
_UNUSED = re.compile(r"fusion_stage\.layers\.0\.residual_layer1\.")
_CARD = 65_536  # characters of a model card in which its front matter ends
_INVERSE_DEPTHS = (1e-4, 1e4)  # 1 / metres, between which Depth Pro's are clipped


class HuggingFaceDepthModel(DepthModel):
    """A network of `AutoModelForDepthEstimation` with the size rule and normalisation of its image processor.

    Filters and padding are data of `info`, as the library's own pipeline has them.

    Args:
        source: a folder, or an ID of the hub such as `depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf`.
        output: one of `OUTPUT_KINDS`, what the numbers of `predicted_depth` mean; needed where the class does not
            tell, and believed where it does.
        input_size: (height, width) in pixels in place of the processor's default.

    Attributes:
        info: its `ModelInfo`.
        weights_hash: of the files of weights, the two configurations and the options.

    Raises:
        ModelError: the model is not there and cannot be fetched, is broken or incomplete, needs code of its own or a
            depth prompt, or does not tell what its numbers mean.
        OptionError: an output or input size that is none.
    """

    _gain: torch.Tensor
    _offset: torch.Tensor

    def __init__(
        self, source: str | Path, output: str | None = None, input_size: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        if output is not None and output not in OUTPUT_KINDS:
            raise OptionError(f"output {output!r} is none of {', '.join(OUTPUT_KINDS)}")
        name = str(source)
        local = os.path.isdir(name)
        folder = Path(name) if local else _folder_of_id(name)
        files = _weights(folder)
        for file in files:
            if other := what_else(file):
                raise ModelError(f"{file}: no weights, is {other}")
        if not files:
            raise ModelError(f"{name}: no {' or '.join(WEIGHTS)} in {folder}; save the model there again")
        self.network, processor = _load(name, folder, local)
        self.kind = output or _kind(name, self.network.config)
        self._telling = output is None and self.network.config.model_type == "depth_pro"
        size, multiple, fit = _size_rule(name, processor)
        if input_size is not None:
            size, fit = _checked_size(input_size, multiple), "exact"
        self.info = ModelInfo(
            name=f"huggingface:{folder.resolve().name if local else name}",
            output=self.kind,
            code_licence="Apache-2.0 (transformers)",
            weights_licence=_licence(folder),
            source=str(folder) if local else f"https://huggingface.co/{name}",
            size=size,
            size_multiple=multiple,
            parameters=sum(weight.numel() for weight in self.network.parameters()),
            fit=fit,
            **_filters(self.network.config, processor, self._telling and self.kind == "metric_depth"),
        )
        texts = (folder / text for text in CONFIGURATIONS)
        options = {"output": output, "input_size": None if input_size is None else list(input_size)}
        given = {option: value for option, value in options.items() if value is not None}
        self.weights_hash = weights_hash(*(text for text in texts if text.is_file()), *files, options=given)
        gain = 255.0 * processor.rescale_factor if processor.do_rescale else 255.0
        mean, std = (processor.image_mean, processor.image_std) if processor.do_normalize else (0.0, 1.0)
        mean, std = (torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1) for numbers in (mean, std))
        self.register_buffer("_gain", gain / std, persistent=False)
        self.register_buffer("_offset", -mean / std, persistent=False)

    def forward(self, batch: dict[str, Any]) -> dict[str, torch.Tensor]:
        """One pass; nothing is resized.

        Args:
            batch: `image` (B, 3, H, W) float 0..1 RGB, not normalised, of a size that is legal by `info`.

        Returns:
            {`info.output`: (B, 1, h, w) float32} at the network's own output size; of Depth Pro the network's own
            numbers beside it as `raw`.

        Raises:
            SampleError: no image, or one of another shape, size or type, or with NaN in it.
        """
        image = checked_image(batch, self.info)
        outputs = self.network(pixel_values=image * self._gain + self._offset)
        values = outputs.predicted_depth.float()
        values = values[:, None] if values.ndim == 3 else values
        if not self._telling:
            return {self.kind: values}
        if self.kind == "disparity":  # the focal length, in picture widths, is the factor that is not known
            return {self.kind: values, "raw": values}
        widths = 0.5 / torch.tan(0.5 * torch.deg2rad(outputs.field_of_view.float().reshape(-1, 1, 1, 1)))
        return {self.kind: 1.0 / torch.clamp(values / widths, *_INVERSE_DEPTHS), "raw": values}


def _folder_of_id(name: str) -> Path:
    """Where the files of an ID of the hub lie on this machine; fetched if they do not."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    if not _ID.fullmatch(name) or os.path.exists(name):
        raise ModelError(f"{name}: no folder, and no ID of the hub such as depth-anything/Depth-Anything-V2-Small-hf")
    texts = ["*.json", "README.md"]
    try:
        folder = Path(snapshot_download(name, local_files_only=True, allow_patterns=[*texts, *WEIGHTS]))
        if _weights(folder):
            return folder
    except Exception:  # not, or not wholly, on this machine; what follows tells why it cannot be fetched
        pass
    try:
        folder = Path(snapshot_download(name, allow_patterns=[*texts, WEIGHTS[0]]))
        return folder if _weights(folder) else Path(snapshot_download(name, allow_patterns=[*texts, WEIGHTS[1]]))
    except RepositoryNotFoundError:
        raise ModelError(f"huggingface:{name}: no such model on the hub, or a private one; check the ID") from None
    except Exception as error:  # the hub's and its transport's errors share no public base
        known = constants.HF_HUB_OFFLINE or isinstance(error, LocalEntryNotFoundError)
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise ModelError(
            f"huggingface:{name}: not on this machine, and {reason if known else _one_line(error)}; run "
            f"`hf download {name}` where there is a network, or give a local folder"
        ) from None


def _weights(folder: Path) -> list[Path]:
    """The folder's files of weights, sorted: all of the first form of `WEIGHTS` that there is."""
    found = ([path for path in sorted(folder.glob(pattern)) if path.is_file()] for pattern in WEIGHTS)
    return next((files for files in found if files), [])


def _load(name: str, folder: Path, offline: bool) -> tuple[Any, Any]:
    """The network in eval mode and its image processor; of a folder without asking any network for what it names."""
    try:
        with _quiet(), _offline() if offline else nullcontext():
            # The import checks what else is installed, and may fail on it.
            from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation

            local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
            config = AutoConfig.from_pretrained(folder, **local)
            _take_no_other_weights(config)
            if config.model_type == "prompt_depth_anything":
                raise ModelError(f"{name}: needs a depth prompt beside the picture; choose another model")
            processor = AutoImageProcessor.from_pretrained(folder, **local)
            network, report = AutoModelForDepthEstimation.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they come back in the report, by name, and are refused below
                **local,
            )
    except ModelError:
        raise
    except Exception as error:  # transformers raises nearly anything on a broken folder
        raise ModelError(
            f"{name}: cannot be loaded as a depth-estimation model of transformers ({_one_line(error)}); "
            "`avsnet doctor` checks the libraries, `hf download` fetches a whole model"
        ) from None
    misshapen = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
    wrong = sorted(key for key in {*report["missing_keys"], *misshapen} if not _UNUSED.search(key))
    if wrong:
        raise ModelError(f"{name}: {len(wrong)} weights are missing or misshapen, such as {wrong[0]}; fetch it again")
    return network.eval(), processor


@contextmanager
def _offline() -> Iterator[None]:
    """The hub's library refuses every request: a stranger's config.json may name what it would fetch."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _take_no_other_weights(config: Any) -> None:
    """A backbone's published weights would be fetched, and then be replaced by those of the folder."""
    backbone = getattr(config, "backbone_config", None)
    for inner in [config] if backbone is None else [config, backbone]:
        if getattr(inner, "use_pretrained_backbone", False):
            inner.use_pretrained_backbone = False


def _kind(name: str, config: Any) -> str:
    """What the numbers of a model of this configuration mean."""
    kinds = {"zoedepth": "metric_depth", "glpn": "metric_depth"}
    if config.model_type == "depth_anything":
        return "metric_depth" if config.depth_estimation_type == "metric" else "affine_disparity"
    if config.model_type == "dpt" and not config.add_projection:  # with it, DINOv2's depth heads share the class
        return "affine_disparity"
    if config.model_type == "depth_pro":
        return "metric_depth" if config.use_fov_model else "disparity"
    if config.model_type not in kinds:
        raise ModelError(
            f"{name}: the class {config.model_type} does not tell what its numbers mean; give the option "
            f"output=KIND (--model-output), one of {', '.join(OUTPUT_KINDS)}"
        )
    return kinds[config.model_type]


def _size_rule(name: str, processor: Any) -> tuple[tuple[int, int] | None, int | None, str]:
    """Default size, multiple and fit, as `ModelInfo` has them, from an image processor."""
    multiple = getattr(processor, "ensure_multiple_of", None) or getattr(processor, "size_divisor", None) or 1
    multiple = max(1, int(multiple))
    size = processor.size if processor.do_resize else None
    if not size:
        return None, multiple, "exact"
    if not (size.height and size.width):
        raise ModelError(f"{name}: its image processor gives no height and width; give the option input_size")
    fit = "minimal" if getattr(processor, "keep_aspect_ratio", False) else "exact"
    # Without a multiple, nothing tells which sizes beside the default the network takes.
    return (size.height, size.width), multiple if multiple > 1 or fit == "minimal" else None, fit


def _filters(config: Any, processor: Any, inverted: bool) -> dict[str, Any]:
    """The entries of `ModelInfo` about filters and padding, from the image processor and its post-processing."""
    number = getattr(processor, "resample", None)
    named = _FILTERS[int(number)] if number is not None and 0 <= int(number) < len(_FILTERS) else "bilinear"
    if config.model_type == "zoedepth":
        return {"resample": "corners", "upsample": "cubic", "pad": bool(getattr(processor, "do_pad", False))}
    if config.model_type == "depth_pro":  # resized without widening, and back in the network's own inverse depth
        plain = _PLAIN.get(named, named)
        return {"resample": plain, "upsample": plain, "upsample_inverse": inverted}
    known = hasattr(processor, "post_process_depth_estimation")
    return {"resample": named, "upsample": "cubic" if known else "bilinear"}


def _checked_size(size: tuple[int, int], multiple: int | None) -> tuple[int, int]:
    sides = tuple(size)
    if len(sides) != 2 or any(not isinstance(n, int) or n < 1 or n % (multiple or 1) for n in sides):
        raise OptionError(f"input_size {size}: give (height, width) in whole pixels, multiples of {multiple or 1}")
    return sides


def _licence(folder: Path) -> str:
    """What the model card's front matter says."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            card = file.read(_CARD)
    except OSError:
        card = ""
    front = re.match(r"\s*---\n(.*?)\n---", card, re.DOTALL)
    entries = dict(re.findall(r"^(license|license_name):[ \t]*(\S+)", front[1] if front else "", re.MULTILINE))
    licence = entries.get("license_name") if entries.get("license") == "other" else entries.get("license")
    return (licence or "").strip("\"'") or "unknown, see the model's page"


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings, reports and progress bars of transformers; its settings are left as they were."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} ..."
