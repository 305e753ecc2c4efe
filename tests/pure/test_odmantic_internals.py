"""The inner names of ODMantic that mongotic relies on: they exist, all of them are listed, and one file uses them."""

from __future__ import annotations

import ast
import gc
import importlib
import weakref
from importlib.metadata import version
from pathlib import Path
from typing import Any

import odmantic
import odmantic.engine
import odmantic.field
import odmantic.model
import odmantic.query
import odmantic.session
import pydantic
import pytest
from odmantic import EmbeddedModel, Model
from odmantic.field import FieldProxy

import mongotic_adapters
from mongotic_adapters import schema_tree
from mongotic_adapters.errors import ArgumentTypeError
from mongotic_adapters.odmantic_internals import PRIVATE_NAMES, odm_fields, owner_of

SOURCES = sorted(Path(mongotic_adapters.__file__).parent.rglob("*.py"))
DOOR = "odmantic_internals.py"


class Probe(Model):
    name: str


class ProbePart(EmbeddedModel):
    name: str


def resolved(path: str) -> object:
    """What a dotted name stands for; a class of models stands for a model derived from it."""
    module_name, _, rest = path.partition(".")
    found: Any = importlib.import_module(module_name)
    for name in rest.split("."):
        if found is Model:
            found = Probe
        if isinstance(found, type):
            found = next(vars(kind)[name] for kind in found.__mro__ if name in vars(kind))
        else:
            found = getattr(found, name)
    return found


@pytest.mark.parametrize("path", PRIVATE_NAMES)
def test_a_name_mongotic_relies_on_exists(path: str) -> None:
    assert resolved(path) is not None


@pytest.mark.parametrize(("path", "known"), PRIVATE_NAMES.items(), ids=PRIVATE_NAMES)
def test_the_installed_odmantic_lies_in_the_range_a_name_is_known_for(path: str, known: tuple[str, str]) -> None:
    oldest, newest = (tuple(map(int, text.split("."))) for text in known)
    installed = tuple(map(int, version("odmantic").split(".")[:3]))
    assert oldest <= installed <= newest


def test_a_name_that_is_gone_would_be_noticed() -> None:
    with pytest.raises(StopIteration):
        resolved("odmantic.Model.__no_such_name__")
    with pytest.raises(AttributeError):
        resolved("odmantic.model._NoSuchName")


def inner_names() -> set[str]:
    """Every underscore name that ODMantic brings along: attributes of its classes and names of its modules."""
    modules = [odmantic.model, odmantic.field, odmantic.query, odmantic.engine, odmantic.session]
    kinds: list[type] = [Probe, ProbePart, FieldProxy, odmantic.SyncEngine, odmantic.AIOEngine, type(Probe)]
    names = {name for kind in kinds for base in kind.__mro__ for name in vars(base)}
    names |= {name for module in modules for name, value in vars(module).items() if defined_in(value, module.__name__)}
    of_others = set(dir(pydantic.BaseModel)) | set(dir(type(pydantic.BaseModel))) | set(dir(type)) | set(dir(dict))
    of_others.add("__class_vars__")  # Pydantic sets it on subclasses alone
    of_others |= {"__slots__", "__weakref__", "__abstractmethods__", "__match_args__"}
    return {name for name in names - of_others if name.startswith("_") and not is_mangled(name)}


def defined_in(value: object, module: str) -> bool:
    return getattr(value, "__module__", None) == module


def is_mangled(name: str) -> bool:
    return name.startswith(("_BaseODMModel__", "_abc_"))


def used_names(source: Path) -> set[str]:
    """Every name a file imports, reads as an attribute, or mentions as a text."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Attribute) and not is_own(node.value):
            names.add(node.attr)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("odmantic"):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def used_of_odmantic(source: Path) -> set[str]:
    return used_names(source) & inner_names()


def test_the_search_finds_the_names_it_is_to_find() -> None:
    assert {"__odm_fields__", "__fields_modified__", "_BaseODMModel", "_parse_doc_to_obj", "_save"} <= inner_names()
    assert "__odm_fields__" in used_of_odmantic(next(source for source in SOURCES if source.name == DOOR))


def test_every_inner_name_in_use_is_listed() -> None:
    listed = {path.rpartition(".")[2] for path in PRIVATE_NAMES}
    used = {name for source in SOURCES for name in used_of_odmantic(source)}
    assert used - listed == set()


def test_every_listed_name_is_in_use() -> None:
    used = {name for source in SOURCES if source.name in (DOOR, "declaration.py") for name in used_names(source)}
    assert {path.rpartition(".")[2] for path in PRIVATE_NAMES} - used == set()


def test_one_file_alone_uses_inner_names() -> None:
    # The metaclass of MongoBaseModel has to name what ODMantic's metaclass leaves on a class.
    others = [source for source in SOURCES if source.name not in (DOOR, "declaration.py")]
    users = {source.name: sorted(used_of_odmantic(source)) for source in others}
    assert {name: used for name, used in users.items() if used} == {}


def test_other_files_import_documented_modules_alone() -> None:
    modules = ("bson", "engine", "exceptions", "field", "index", "model", "query", "session")
    documented = {"odmantic"} | {f"odmantic.{name}" for name in modules}
    found = {
        (source.name, node.module)
        for source in SOURCES
        if source.name != DOOR
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("odmantic") and node.level == 0
    }
    assert {(name, module) for name, module in found if module not in documented} == set()


def test_asking_for_the_owner_of_a_field_does_not_keep_its_class() -> None:
    metaclass: Any = type(Model)
    made = metaclass("ShortLived", (Model,), {"__module__": __name__, "__annotations__": {"name": str}})
    assert owner_of(odm_fields(made)["name"]) is made
    watched = weakref.ref(made)
    del made
    gc.collect()
    assert watched() is None


def test_a_field_of_no_document_has_no_owner() -> None:
    with pytest.raises(ArgumentTypeError, match="'name' belongs to no model"):
        owner_of(odm_fields(ProbePart)["name"])


FIELDS: Any = {"type": "model-fields", "fields": {"default": {"type": "model-field", "schema": {"type": "int"}}}}
RECURSIVE: Any = {
    "type": "definitions",
    "schema": {"type": "definition-ref", "schema_ref": "it"},
    "definitions": [{"type": "model", "ref": "it", "schema": FIELDS}],
}


def test_the_fields_of_a_model_are_found_whatever_is_wrapped_around_them() -> None:
    assert schema_tree.field_schema(FIELDS, "default") == ({"type": "int"}, {}, [])
    found = schema_tree.field_schema(RECURSIVE, "default")
    assert (found.schema, found.definitions) == ({"type": "int"}, RECURSIVE["definitions"])


def test_the_parts_of_what_a_schema_refers_to_are_its_parts() -> None:
    reference = schema_tree.FieldSchema({"type": "definition-ref", "schema_ref": "it"}, {}, RECURSIVE["definitions"])
    assert {"type": "int"} in list(reference.parts())
    assert {"type": "int"} not in list(reference.parts(within=lambda part: part["type"] != "model"))


def test_a_field_may_be_called_like_a_setting_of_a_schema() -> None:
    assert {"type": "int"} in list(schema_tree.parts(RECURSIVE))
    assert {"type": "int"} not in list(schema_tree.parts({"type": "str", "default": {"type": "int"}}))


def test_a_schema_is_rebuilt_with_its_tuples() -> None:
    union = {"type": "union", "choices": [({"type": "int"}, "label"), {"type": "str", "default": {"type": "int"}}]}
    found = schema_tree.rebuilt(union, lambda part: {"type": "float"} if part["type"] == "int" else None)
    assert found == {"type": "union", "choices": [({"type": "float"}, "label"), union["choices"][1]]}
