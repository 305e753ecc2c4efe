"""An encoder that is written out gives what the fields give one by one, whatever a user puts in their places."""

# ODMantic leaves types open, and pyright takes attributes declared as models for unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import enum
from typing import Any

import pytest
from odmantic import EmbeddedModel, Field, Model, Reference

from mongotic_adapters.encoding import encode_instance, encode_named
from mongotic_adapters.errors import ArgumentError
from mongotic_adapters.mapping import mapping_of
from mongotic_adapters.unloaded import Unloaded, put


class Label(str, enum.Enum):
    """What such a member looks like is not what it is stored as."""

    stored: str

    def __new__(cls, shown: str, stored: str) -> Label:
        member = str.__new__(cls, shown)
        member._value_ = stored
        return member

    SHORT = ("looks short", "s")


class Leaf(EmbeddedModel):
    name: str = Field(key_name="n")
    count: int | None = None


class Special(Leaf):
    """ODMantic does not hand keys down."""

    more: float = 1.5


class Twig(EmbeddedModel):
    leaf: Leaf
    leaves: list[Leaf] = []


class Branch(EmbeddedModel):
    twig: Twig
    twigs: list[Twig]


class Bough(EmbeddedModel):
    branch: Branch


class Limb(EmbeddedModel):
    bough: Bough


class Tree(Model):
    """Deeper than what is written out in one function."""

    name: str
    limb: Limb
    by_name: dict[str, Leaf] = {}
    tags: list[str] = []
    number: int = Field(primary_field=True)


def tree(**values: Any) -> Tree:
    twig = Twig(leaf=Leaf(name="a"), leaves=[Leaf(name="b", count=2)])
    limb = Limb(bough=Bough(branch=Branch(twig=twig, twigs=[twig.model_copy(deep=True)])))
    return Tree(number=1, name="oak", limb=limb, **values)


def encoded(instance: Model) -> dict[str, Any]:
    """The document, which the fields one by one must agree with."""
    mapping = mapping_of(type(instance))
    document = encode_instance(mapping, instance)
    for name, field in mapping.fields.items():
        assert encode_named(mapping, instance, name) == document[field.key]
    return document


LEAVES = {"leaf": {"n": "a", "count": None}, "leaves": [{"n": "b", "count": 2}]}


def test_many_levels() -> None:
    document = encoded(tree(by_name={"x": Leaf(name="c")}, tags=["t"]))
    assert document == {
        "_id": 1,
        "name": "oak",
        "limb": {"bough": {"branch": {"twig": LEAVES, "twigs": [LEAVES]}}},
        "by_name": {"x": {"n": "c", "count": None}},
        "tags": ["t"],
    }
    assert next(iter(document)) == "_id"


def branch_of(instance: Tree) -> Branch:
    return instance.limb.bough.branch


@pytest.mark.parametrize("wrong", ["scalar", "embedded", "element", "list"])
def test_values_that_fields_do_not_have_by_their_types(wrong: str) -> None:
    instance = tree()
    if wrong == "scalar":
        instance.__dict__["name"] = Label.SHORT
        assert encoded(instance)["name"] == "s"
    twig = branch_of(instance).twig
    if wrong == "embedded":
        twig.__dict__["leaf"] = Special(name="c", count=1)
        assert encoded(instance)["limb"]["bough"]["branch"]["twig"]["leaf"] == {"name": "c", "count": 1, "more": 1.5}
    if wrong == "element":
        twig.leaves[:] = [Special(name="c"), None, Leaf(name="d")]  # type: ignore[list-item]  # pyright: ignore
        found = encoded(instance)["limb"]["bough"]["branch"]["twig"]["leaves"]
        assert found == [{"name": "c", "count": None, "more": 1.5}, None, {"n": "d", "count": None}]
    if wrong == "list":
        twig.__dict__["leaves"] = (Leaf(name="d"),)
        assert encoded(instance)["limb"]["bough"]["branch"]["twig"]["leaves"] == [{"n": "d", "count": None}]


def test_members_among_plain_elements_are_stored_as_their_values() -> None:
    instance = tree(tags=["a"])
    instance.tags.append(Label.SHORT)
    assert encoded(instance)["tags"] == ["a", "s"]


def test_nothing_of_the_instance_is_in_the_document() -> None:
    instance = tree(tags=["t"])
    document = encoded(instance)
    instance.tags.append("later")
    branch_of(instance).twig.leaves.append(Leaf(name="later"))
    branch_of(instance).twigs[0].leaf.name = "later"
    assert "later" not in repr(document)


@pytest.mark.parametrize(("path", "model"), [("name", "Tree"), ("leaf", "Twig"), ("n", "Leaf")])
def test_a_missing_field_is_named_at_any_depth(path: str, model: str) -> None:
    instance = tree()
    twig = branch_of(instance).twig
    holders: dict[str, dict[str, object]] = {"name": vars(instance), "leaf": vars(twig), "n": vars(twig.leaf)}
    name = "name" if path == "n" else path
    del holders[path][name]
    with pytest.raises(ArgumentError, match=f"instance of {model} cannot be stored: it has no value for '{name}'"):
        encode_instance(mapping_of(Tree), instance)


def test_a_reference_that_was_not_loaded_is_stored_as_the_key_it_stands_for() -> None:
    class Owner(Model):
        name: str
        tree: Tree = Reference()

    owner = Owner(name="a", tree=tree())
    assert encoded(owner)["tree"] == 1
    put(owner, "tree", Unloaded(7))
    assert encoded(owner) == {"_id": owner.id, "name": "a", "tree": 7}
