"""The cases, one module an API or a group of APIs. `case` puts a function on the list; its name is module.function."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from compat.differential.run import Run

CaseFunction = Callable[[Run], None]
_cases: dict[str, CaseFunction] = {}
LIVELY: set[str] = set()
"""The names of the cases that run on lively brokers."""


def case(function: CaseFunction) -> CaseFunction:
    """Put a function on the list of cases."""
    module = function.__module__.rpartition(".")[2]
    _cases[f"{module}.{function.__name__}"] = function
    return function


def lively_case(function: CaseFunction) -> CaseFunction:
    """The same for a case that needs brokers whose upkeep of logs runs several times a second."""
    module = function.__module__.rpartition(".")[2]
    LIVELY.add(f"{module}.{function.__name__}")
    return case(function)


def add_case(name: str, function: CaseFunction) -> None:
    """Put a case that is made rather than written on the list."""
    _cases[name] = function


def all_cases() -> dict[str, CaseFunction]:
    """Name -> case, of all modules of this folder."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(_cases)
