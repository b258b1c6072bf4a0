#!/usr/bin/env python3
"""What can be pickled, tried out: the list of the notebook's pickle chapter, and what else a key might return.

    python bench/notebook/pickle_lesson.py                  a markdown table
    python bench/notebook/pickle_lesson.py --format json    one JSON object per kind of object

An object counts as pickled if it also comes back: `loads(dumps(object))`. cloudpickle is what loky pickles with; it is
read by plain pickle, as loky does it. All in one process, so a class or function that is pickled by its name is found
again; another process must be able to import it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pickle
import platform
import re
import socket
import threading
from collections import OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Callable

# What the notebook says, word for word, of three of the objects.
LAMBDAS = 'can\'t: "Lambdas"'
DEFAULT_DICTIONARIES = 'can\'t: "Default dictionaries (defaultdict)"'
CUSTOM_OBJECTS = 'can\'t: "Custom objects"'


class OfModule:
    """A custom object whose class is found by name."""

    def __init__(self) -> None:
        self.value = 1

    def method(self) -> int:
        return self.value


def of_module(x: int) -> int:
    return x


def local_function() -> Callable[[], int]:
    def inner() -> int:
        return 1

    return inner


def closure() -> Callable[[int], int]:
    captured = 1

    def inner(x: int) -> int:
        return x + captured

    return inner


def local_instance() -> Any:
    class OfFunction:
        value = 1

    return OfFunction()


def local_namedtuple() -> Any:
    Pair = namedtuple("Pair", "a b")
    return Pair(1, 2)


def generator() -> Iterator[int]:
    yield 1


def numpy_array() -> Any:
    return importlib.import_module("numpy").arange(3.0)


# Name, what makes it, and what the notebook says of it.
OBJECTS: list[tuple[str, Callable[[], Any], str]] = [
    ("lambda", lambda: lambda x: x, LAMBDAS),
    ("function of a module", lambda: of_module, ""),
    ("function inside a function", local_function, ""),
    ("function that captures a variable", closure, ""),
    ("defaultdict(int)", lambda: defaultdict(int, a=1), DEFAULT_DICTIONARIES),
    ("defaultdict(list)", lambda: defaultdict(list, a=[1]), DEFAULT_DICTIONARIES),
    ("defaultdict(lambda: 0)", lambda: defaultdict(lambda: 0, a=1), DEFAULT_DICTIONARIES),
    ("OrderedDict", lambda: OrderedDict(a=1), ""),
    ("instance of a module's class", OfModule, CUSTOM_OBJECTS),
    ("instance of a class inside a function", local_instance, CUSTOM_OBJECTS),
    ("namedtuple of a class inside a function", local_namedtuple, ""),
    ("bound method", lambda: OfModule().method, ""),
    ("functools.partial of a module's function", lambda: partial(of_module, 1), ""),
    ("functools.partial of a lambda", lambda: partial(lambda x: x, 1), ""),
    ("generator", generator, ""),
    ("open file", Path(__file__).open, ""),
    ("socket", socket.socket, ""),
    ("threading.Lock", threading.Lock, ""),
    ("module", lambda: json, ""),
    ("exception", lambda: ValueError("a reason"), ""),
    ("numpy array", numpy_array, ""),
]


def attempt(dumps: Callable[[Any], bytes], make: Callable[[], Any]) -> str:
    """ "yes", with the type it comes back as if that is another one, or the error that says why not."""
    made = make()
    try:
        back = pickle.loads(dumps(made))
    except Exception as error:
        return f"no: {type(error).__name__}: {error}"
    finally:
        # Files and sockets are given back at once.
        getattr(made, "close", lambda: None)()
    # By name: cloudpickle makes the class of a function anew.
    before, after = type(made).__name__, type(back).__name__
    return "yes" if before == after else f"yes, but comes back as {after}"


def package(name: str) -> Any | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def lesson() -> list[dict[str, str | None]]:
    """One row per object; None where a package is missing."""
    cloudpickle, numpy = package("cloudpickle"), package("numpy")
    rows: list[dict[str, str | None]] = []
    for name, make, claim in OBJECTS:
        missing = name == "numpy array" and numpy is None
        plain = None if missing else attempt(pickle.dumps, make)
        cloud = None if missing or cloudpickle is None else attempt(cloudpickle.dumps, make)
        rows.append({"object": name, "notebook": claim or None, "pickle": plain, "cloudpickle": cloud})
    return rows


def versions() -> str:
    found = [f"{platform.python_implementation()} {platform.python_version()}"]
    found += [f"{name} {metadata.version(name)}" for name in ("cloudpickle", "numpy") if package(name)]
    return ", ".join(found)


def cell(text: str | None, absent: str) -> str:
    """The text for a cell: a bar would end it, and addresses differ at every run."""
    return absent if text is None else re.sub(r" at 0x[0-9a-f]+", "", text.replace("|", "\\|"))


def quoted(answer: str) -> str:
    """A message as code: `<lambda>` is no HTML."""
    verdict, separator, message = answer.partition(": ")
    return f"{verdict}: `{message}`" if separator else answer


def markdown(rows: list[dict[str, str | None]]) -> str:
    lines = [f"Made by `python bench/notebook/pickle_lesson.py`: {versions()}.", ""]
    lines += ["| object | the notebook | pickle | cloudpickle |", "|---|---|---|---|"]
    for row in rows:
        answers = " | ".join(quoted(cell(row[name], "not installed")) for name in ("pickle", "cloudpickle"))
        lines.append(f"| {row['object']} | {cell(row['notebook'], '')} | {answers} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tries out what can be pickled.")
    parser.add_argument("--format", choices=["markdown", "json"], default="markdown")
    given = parser.parse_args()
    rows = lesson()
    if given.format == "markdown":
        print(markdown(rows))
    else:
        for row in rows:
            print(json.dumps({**row, "versions": versions()}))


if __name__ == "__main__":
    main()
