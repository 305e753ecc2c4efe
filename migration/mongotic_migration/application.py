"""The application whose models and changes a tool works with: its modules, imported by name.

Called by the commands; what cannot be imported is said in one sentence.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from odmantic import Model

from mongotic import MongoBaseModel
from mongotic_adapters.odmantic_internals import is_model_class


class ApplicationError(Exception):
    """A module cannot be imported, or has not what is asked for; the message says why."""


def models_in(modules: Iterable[str]) -> list[type[Model]]:
    """Return the model classes that modules have, their own and those they import, each once.

    Arguments:
        modules: names such as `app.models`.

    Raises:
        ApplicationError: a module cannot be imported, or has no models.
    """
    found: dict[type[Model], None] = {}
    for name in modules:
        own = [value for value in vars(_imported(name)).values() if _has_documents(value)]
        if not own:
            raise ApplicationError(f"the module {name!r} has no models: no class derived from odmantic.Model")
        found.update(dict.fromkeys(own))
    return list(found)


def model_at(place: str) -> type[Model]:
    """Return the model class that *place* names; see `thing_at`.

    Raises:
        ApplicationError: there is none.
    """
    found = thing_at(place)
    if not is_model_class(found):
        raise ApplicationError(f"{place} is no model class: {found!r}")
    return found


def thing_at(place: str) -> object:
    """Return what a module has under a name.

    Arguments:
        place: `app.changes:split_name`.

    Raises:
        ApplicationError: it cannot be imported, or has nothing of that name.
    """
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise ApplicationError(f"{place!r}: write module:name, as in app.changes:split_name")
    found: object = _imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ApplicationError(f"the module {module!r} has no {name!r}")
        found = getattr(found, part)
    return found


def _has_documents(value: object) -> bool:
    # Bases that share fields name no collection.
    return is_model_class(value) and value is not MongoBaseModel and getattr(value, "__tablename__", "given") != ""


def _imported(name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:  # as it is for `python -m`, and not for a command
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever the module does when it is imported
        raise ApplicationError(f"the module {name!r} cannot be imported: {type(error).__name__}: {error}") from error
