"""The flags of a verb, read off its signature and its docstring.

A text is taken as it was written: nothing is read as YAML, so a file may be called `null`, `~` or `#2.wav`.
"""

import difflib
import inspect
import math
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any, NoReturn, get_args

from avsnet.errors import OptionError, one_line


def call(name: str, verb: Callable[..., int], words: list[str]) -> int:
    """Read the words by the verb's signature and call it.

    Args:
        name: of the verb.
        verb: the function, whose signature is its flags.
        words: those after the verb's name.

    Returns:
        Exit code.

    Raises:
        OptionError: a word is no flag of this verb, has no such value, or one is missing.
    """
    parser = _parser(name, verb)
    if {"-h", "--help"} & set(words):
        print(parser.format_help().rstrip())
        return 0
    options, unknown = parser.parse_known_args(_bare_switches(words, verb))
    if unknown:
        parser.error(_unknown(unknown[0], verb))
    return verb(**vars(options))


class _Parser(ArgumentParser):
    """Raises where argparse would end the process."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{_clear(message)}; {self.prog} --help lists the flags")


def _parser(name: str, verb: Callable[..., int]) -> ArgumentParser:
    """A positional word for each parameter before the star, a flag for each after it."""
    text = inspect.getdoc(verb) or ""
    helps = described(text)
    parser = _Parser(prog=f"avsnet {name}", description=text.partition("\nArgs:")[0], allow_abbrev=False)
    for parameter in _parameters(verb):
        about = helps.get(parameter.name, "").replace("%", "%%")
        if parameter.kind is not parameter.KEYWORD_ONLY:
            parser.add_argument(parameter.name, metavar=parameter.name.upper(), type=_text, help=about)
        elif parameter.annotation is bool:
            parser.add_argument(_flag(parameter.name), action="store_true", help=about)
        else:
            required = parameter.default is parameter.empty
            shown = "" if required or parameter.default is None else f" (default: {parameter.default})"
            parser.add_argument(
                _flag(parameter.name),
                metavar=_flag(parameter.name)[2:].upper(),
                type=_reader(parameter.annotation),
                required=required,
                default=None if required else parameter.default,
                help=about + (" (required)" if required else shown),
            )
    return parser


def described(docstring: str) -> dict[str, str]:
    """What the section Args of a docstring says of each parameter, in one line each.

    Args:
        docstring: without its indentation.
    """
    section = docstring.partition("\nArgs:\n")[2].partition("\n\n")[0]
    return {name: one_line(text) for name, text in re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)}


def _parameters(verb: Callable[..., int]) -> list[inspect.Parameter]:
    return list(inspect.signature(verb, eval_str=True).parameters.values())


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _reader(annotation: object) -> Callable[[str], Any]:
    """What makes a value of a word: of a `str`, `int` or `float`, each perhaps or None."""
    return {str: _text, int: _whole, float: _number}[(*get_args(annotation), annotation)[0]]


def _text(word: str) -> str:
    """The word itself; an empty one would be nothing, or the folder that one happens to be in."""
    if not word:
        raise ArgumentTypeError("is empty; name something, or leave it out")
    return word


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ArgumentTypeError(f"is {word!r}, but must be a whole number") from None


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ArgumentTypeError(f"is {word!r}, but must be a number")
    return value


def _bare_switches(words: list[str], verb: Callable[..., int]) -> list[str]:
    """The words with every switch bare; `--ply false` and `--ply=false` leave it out."""
    switches = {_flag(parameter.name) for parameter in _parameters(verb) if parameter.annotation is bool}
    mapped: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*mapped, word, *rest]
        flag, equals, value = word.partition("=")
        if flag not in switches:
            mapped.append(word)
            continue
        if not equals and rest[:1] in (["true"], ["false"]):
            value = rest.pop(0)
        if value not in ("", "true", "false") or (equals and not value):
            raise OptionError(f"{flag} is {value!r}, but must be true or false, or stand alone for true")
        mapped += [] if value == "false" else [flag]
    return mapped


def _unknown(word: str, verb: Callable[..., int]) -> str:
    """What is wrong with a word that no parameter takes."""
    flags = [_flag(parameter.name) for parameter in _parameters(verb) if parameter.kind is parameter.KEYWORD_ONLY]
    word = word.partition("=")[0]
    nearest = difflib.get_close_matches(word.replace("_", "-"), flags, 1) if word.startswith("--") else []
    return f"unknown argument {word}" + (f", did you mean {nearest[0]}?" if nearest else "")


def _clear(message: str) -> str:
    """The parser's message in our words."""
    missing = "the following arguments are required: "
    if message.startswith(missing):
        return f"missing: {message.removeprefix(missing)}"
    flag, _, wrong = message.removeprefix("argument ").partition(": ")
    if wrong == "expected one argument":
        return f"{flag} needs one argument; one that begins with a dash is written {flag}=-..."
    return one_line(f"{flag} {wrong}") if message.startswith("argument ") else one_line(message)
