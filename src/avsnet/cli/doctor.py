"""`avsnet doctor`: what is installed here, what it can do, and what is missing for more.

Every question is asked by itself, so that one broken library costs one line and never the report.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

EXTRAS = {
    "train": "training, with logs for TensorBoard",
    "rooms": "faster ray casting in the simulated rooms",
    "export": "running onnx: models, and writing them",
    "app": "the page, avsnet app",
    "live": "recording, avsnet record",
    "media": "videos, and HEIC pictures",
}
"""What each extra of the package gives today; one that nothing here uses yet is not named."""


def doctor(*, licences: bool = False) -> int:
    """Report what is installed: versions, devices, caches, what each missing extra would give, and the limits.

    Args:
        licences: list the licences of all packages that are installed with it, in place of the report.
    """
    if licences:
        from avsnet.cli.licences import licences as rows

        print("\n".join(f"{name:<28} {version:<16} {licence}" for name, version, licence in rows()))
        return 0
    print(report())
    return 0


def report() -> str:
    """The whole report, in lines; it raises nothing.

    Returns:
        Sections with a title each: versions, devices, caches, extras, and warnings if there are any.
    """
    sections: dict[str, Callable[[], list[str]]] = {
        "versions": _versions,
        "devices": _devices,
        "caches": _caches,
        "extras": _extras,
        "limits": _limits,
        "warnings": _warnings,
    }
    lines = []
    for title, ask in sections.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = ask()
            except Exception as error:  # whatever a broken installation raises is what the report is for
                answer = [f"unknown ({_one_line(error)})"]
        if answer:
            lines += [title, *(f"  {line}" for line in answer)]
    return "\n".join(lines)


def _versions() -> list[str]:
    """Python, this package and what it always needs, as installed; nothing is imported."""
    names = ["avsnet", *_requirements().get("", [])]
    rows = [("python", f"{platform.python_version()} ({sys.executable}, {platform.system()} {platform.machine()})")]
    rows += [(name, _version(name) or "MISSING: pip install avsnet again") for name in names]
    return [f"{name:<16} {version}" for name, version in rows]


def _devices() -> list[str]:
    lines = [f"cpu: {os.cpu_count()} logical cores"]
    try:
        import torch
    except Exception as error:  # a torch for another machine fails in its own ways
        return [*lines, f"torch cannot be imported ({_one_line(error)}); install it again"]
    lines[0] += f", torch uses {torch.get_num_threads()} threads"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.cuda.get_device_properties(number) for number in range(count)]
    lines += [f"cuda {number}: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for number, gpu in enumerate(gpus)]
    lines += (
        []
        if gpus
        else [
            f"cuda: none (torch is built {'for CUDA ' + torch.version.cuda if torch.version.cuda else 'without CUDA'})"
        ]
    )
    return [*lines, f"mps: {'available' if torch.backends.mps.is_available() else 'none'}"]


def _caches() -> list[str]:
    import pooch
    from huggingface_hub import constants

    folders = {"huggingface": Path(constants.HF_HUB_CACHE), "avsnet": Path(pooch.os_cache("avsnet"))}
    lines = [f"{name}: {path} ({'in use' if path.is_dir() else 'not made yet'})" for name, path in folders.items()]
    offline = "set: nothing is fetched" if constants.HF_HUB_OFFLINE else "not set"
    return [*lines, f"HF_HUB_OFFLINE: {offline}"]


def _extras() -> list[str]:
    requirements = _requirements()
    lines = []
    for extra, gives in EXTRAS.items():
        missing = [name for name in requirements.get(extra, []) if _version(name) is None]
        state = f"missing {', '.join(missing)}; {_install(extra)}" if missing else "installed"
        lines.append(f"{extra:<7} {gives}: {state}")
    return lines


def _limits() -> list[str]:
    """What one file may cost, and the variable that moves it."""
    from avsnet.io.limits import LIMITS

    return [f"{limit.variable:<19} {limit.most} {limit.unit}" for limit in LIMITS]


def _warnings() -> list[str]:
    if _version("torchaudio") is None:
        return []
    return [
        "torchaudio is installed: avsnet does not need it, and one built for another torch breaks the imports of "
        "transformers; if those fail, pip uninstall torchaudio"
    ]


def _requirements() -> dict[str, list[str]]:
    """The packages that avsnet needs, by extra; those always needed under the empty name."""
    found: dict[str, list[str]] = {}
    for line in metadata.requires("avsnet") or []:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*[\"']([\w-]+)", line)
        if name != "avsnet":
            found.setdefault(extra[1] if extra else "", []).append(name)
    return found


def _version(name: str) -> str | None:
    """The installed version of a package; None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _install(extra: str) -> str:
    return f"pip install 'avsnet[{extra}]'"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
