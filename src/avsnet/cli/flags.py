"""The flags of a verb, read off its signature.

Flags are written with dashes; jsonargparse, which reads them, knows only underscores, so they are mapped here.
"""

import difflib
import inspect
import re
from collections.abc import Callable

from avsnet.errors import OptionError


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
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(prog=f"avsnet {name}", exit_on_error=False, allow_abbrev=False)
    parser.add_function_arguments(verb, as_positional=True)
    if {"-h", "--help"} & set(words):
        print(dashes(parser.format_help()).rstrip())
        return 0
    try:
        options = parser.parse_args(_underscores(words, verb))
    except ArgumentError as error:
        raise OptionError(f"{_clear(str(error), verb)}; avsnet {name} --help lists the flags") from None
    return verb(**options.as_dict())


def _underscores(words: list[str], verb: Callable[..., int]) -> list[str]:
    """The words with flags as jsonargparse knows them; values are left alone, a bare switch is switched on."""
    switches = {name for name, option in inspect.signature(verb).parameters.items() if option.annotation is bool}
    mapped: list[str] = []
    for position, word in enumerate(words):
        if word == "--":
            return mapped + words[position:]
        flag, equals, value = word.partition("=")
        if flag.startswith("--"):
            flag = "--" + flag[2:].replace("-", "_")
            following = words[position + 1 : position + 2]
            if flag[2:] in switches and not equals and following not in (["true"], ["false"]):
                equals, value = "=", "true"
        mapped.append(flag + equals + value)
    return mapped


def dashes(text: str) -> str:
    """Flags in a text as users write them."""
    return re.sub(r"--[\w.]+", lambda flag: flag[0].replace("_", "-"), text)


def _clear(message: str, verb: Callable[..., int]) -> str:
    """The parser's message in one line, with flags as users write them."""
    parameters = inspect.signature(verb).parameters
    flags = {name: dashes(f"--{name}") for name, option in parameters.items() if option.kind is option.KEYWORD_ONLY}
    if message.startswith("the following arguments are required: "):
        names = message.partition(": ")[2].split(", ")
        return f"missing: {', '.join(flags.get(name, name.upper()) for name in names)}"
    if message.startswith("unrecognized arguments: "):
        word = message.partition(": ")[2].split()[0].partition("=")[0]
        nearest = difflib.get_close_matches(dashes(word), flags.values(), 1) if word.startswith("--") else []
        return f"unknown argument {dashes(word)}" + (f", did you mean {nearest[0]}?" if nearest else "")
    key, value = re.search(r'key "(\w+)"', message), re.search(r"(?:Given|Got) value: (.*)", message)
    if key and value:
        annotation = parameters[key[1]].annotation
        wanted = "true or false" if annotation is bool else "a whole number" if annotation is int else "a number"
        return f"{flags.get(key[1], key[1])} is {value[1]!r}, but must be {wanted}"
    return dashes(one_line(message))


def one_line(message: object) -> str:
    """A message without line breaks."""
    return " ".join(str(message).split())
