"""`avsnet train`: a network trained as a YAML file says."""

import re
import shlex
from collections.abc import Sequence

from avsnet.errors import OptionError

_EXAMPLE = """\
A file needs no more than what differs from the defaults above:

    out: runs/mine
    model: {name: avsnet_lite0_av, weights: default}
    data: {train: ["folder:my_captures"], val: ["folder:my_test_captures"], batch_size: 8}

Those of the paper's networks stand in the folder configs of the source repository; an installed package lacks them."""


def train(words: Sequence[str]) -> int:
    """Train a network as a YAML file of yours says; avsnet train --help shows one.

    Args:
        words: the file, then flags in place of its lines, such as --data.batch-size 8.
    """
    from avsnet.train.config_file import config_parser, read_config

    if not words or {"-h", "--help"} & set(words):
        print(f"{_as_written(config_parser().format_help()).rstrip()}\n\n{_EXAMPLE}")
        return 0
    if words[0].startswith("-"):
        raise OptionError("give the YAML file first: avsnet train CONFIG [FLAGS]")
    from avsnet.train.run import train

    print(train(read_config(words[0], words[1:]), command=shlex.join(["avsnet", "train", *words])))
    return 0


def _as_written(text: str) -> str:
    """The parser's help with flags as users write them: with dashes, and a switch that is off by default bare."""
    switches = re.findall(r"(--[\w.]+) \{true,false\}(?=[^{}]*\(type: bool, default:\s+False\))", text)
    for flag in switches:
        text = text.replace(f"{flag} {{true,false}}", flag)
    return re.sub(r"--[\w.]+", lambda flag: flag[0].replace("_", "-"), text)
