"""The command line: `avsnet VERB`, a verb being a plain function whose signature is its flags.

What a verb needs is imported inside it, so that `avsnet --help` answers at once.
"""

import difflib
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence

import avsnet
from avsnet.cli import (
    app,
    check,
    chirp,
    cloud,
    demo,
    doctor,
    echo,
    evaluate,
    export,
    models,
    predict,
    record,
    reproduce,
    scale,
    simulate,
    train,
)
from avsnet.cli.flags import call
from avsnet.cli.printed import Printed
from avsnet.errors import AvsnetError, OptionError, one_line

VERBS: dict[str, Callable[..., int]] = {
    "demo": demo.demo,
    "app": app.app,
    "check": check.check,
    "chirp": chirp.chirp,
    "cloud": cloud.cloud,
    "doctor": doctor.doctor,
    "echo": echo.echo,
    "evaluate": evaluate.evaluate,
    "export": export.export,
    "models": models.models,
    "predict": predict.predict,
    "record": record.record,
    "reproduce": reproduce.reproduce,
    "scale": scale.scale,
    "simulate": simulate.simulate,
    "train": train.train,
}
"""Every verb of the command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `avsnet`; None takes the process's own.

    Returns:
        Exit code: 0; 1 if some files of a folder failed; 2 for a mistake, which is told in one line; 130 if
        interrupted; 141 if nobody reads the output any more.
    """
    formatting, streams = warnings.formatwarning, (sys.stdout, sys.stderr)
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may be no text
    sys.stdout, sys.stderr = Printed(sys.stdout), Printed(sys.stderr, keeps="\r")
    warnings.formatwarning = _warning  # type: ignore[assignment]  # it is called by position
    try:
        code = _command(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as error:
        print(f"avsnet: interrupted{f'; {one_line(error)}' if str(error) else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The interpreter flushes at exit; let it do so into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (AvsnetError, OSError) as error:
        print(f"avsnet: error: {one_line(error)}", file=sys.stderr)
        return 2
    finally:
        warnings.formatwarning = formatting
        sys.stdout, sys.stderr = streams


def _warning(message: Warning | str, *_place: object) -> str:
    """A warning as one line; where it was raised helps nobody at a command line."""
    return f"avsnet: warning: {one_line(message)}\n"


def _command(words: list[str]) -> int:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help", "help"):
        print(_help())
        return 0
    if verb in ("-V", "--version"):
        from importlib.metadata import version

        print(f"avsnet {version('avsnet')}")
        return 0
    if verb not in VERBS:
        nearest = difflib.get_close_matches(verb, VERBS, 1)
        guess = f"did you mean {nearest[0]}? " if nearest else ""
        raise OptionError(f"unknown verb {verb!r}; {guess}verbs: {', '.join(VERBS)}")
    if verb == "train":  # its flags are the entries of a YAML file, not its signature
        return train.train(words[1:])
    return call(verb, VERBS[verb], words[1:])


def _help() -> str:
    lines = ["usage: avsnet VERB [FLAGS]", "", (avsnet.__doc__ or "").splitlines()[0], "", "verbs:"]
    lines += [f"  {name:<8} {(verb.__doc__ or '').splitlines()[0]}" for name, verb in VERBS.items()]
    return "\n".join([*lines, "", "avsnet VERB --help lists the flags of a verb; avsnet --version, the version."])
