"""`MongoBaseModel`: models declared the way of mongotic 0.5, which are ODMantic models underneath.

```python
class User(MongoBaseModel):
    __databasename__ = "shop"
    __tablename__ = "users"

    name: str = Field(..., max_length=50)
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

import bson
import odmantic
from odmantic import Model, ObjectId
from pydantic import BaseModel
from typing_extensions import Self

from mongotic_adapters.columns import Column, top_level
from mongotic_adapters.copies import make_new
from mongotic_adapters.declaration import MongoModelMetaclass
from mongotic_adapters.encoding import dump
from mongotic_adapters.hydration import parse
from mongotic_adapters.instance_state import describe, state_of
from mongotic_adapters.mapping import class_mapping
from mongotic_adapters.odmantic_internals import in_place_of_odmantics
from mongotic_adapters.unloaded import refuse
from mongotic_adapters.validation import validated

from .exceptions import InvalidRequestError

if TYPE_CHECKING:
    from .session import SessionBase


class MongoBaseModel(Model, metaclass=MongoModelMetaclass):
    """Base of models declared the way of mongotic 0.5.  Each is an ODMantic model, and everything ODMantic does works
    on it.

    A subclass says where its documents are and which indexes they have; fields are declared with `pydantic.Field` or
    ODMantic's. Its class attributes have all operators: `User.name.like("A%")`, `-User.age`, `User.address.city ==
    "Rome"`.

    Attributes:
        __databasename__: the database; without it, that of the session's engine.
        __tablename__: the collection.
        __indexes__: `pymongo.IndexModel`s or ODMantic's indexes, for `create_indexes`.
    """

    __databasename__: ClassVar[str]
    __tablename__: ClassVar[str]

    if TYPE_CHECKING:
        id: ObjectId | Any = odmantic.Field(default_factory=ObjectId)  # or a subclass's own field of that name
        __indexes__: ClassVar[Any]  # a list that can be called; a plain list in a declaration

        @property
        def _id(self) -> str | None: ...
        @_id.setter
        def _id(self, value: str | bson.ObjectId) -> None: ...

    # No super() here: ODMantic makes two classes of one body.

    @property
    def _session(self) -> SessionBase | None:
        """The session that holds the instance."""
        state = state_of(self)
        owner = None if state is None else state.owner
        return None if owner is None else cast("SessionBase | None", owner.session())

    @property
    def _expired(self) -> bool:
        """Whether the database may hold something else by now."""
        state = state_of(self)
        return state is not None and state.expired

    def __setattr__(self, name: str, value: object) -> None:
        if name == "_id":
            _set_key(self, value)
        elif name in self.__private_attributes__:  # no field, which ODMantic would count it as
            BaseModel.__setattr__(self, name, value)
        else:
            Model.__setattr__(self, name, value)

    if not TYPE_CHECKING:  # a checker would take every misspelt field for one

        def __getattr__(self, name: str) -> Any:  # as Pydantic's
            refuse(self, name)
            return BaseModel.__getattr__(self, name)

    @in_place_of_odmantics
    def model_dump_doc(self, include: Any = None) -> dict[str, Any]:  # as ODMantic's
        """Return the document of the instance, as ODMantic does; with the keys of references that it does not have.

        Arguments:
            include: the names of the fields wanted; None for all.
        """
        if any(field.is_special for field in class_mapping(type(self)).references):
            return dump(self, include)
        return Model.model_dump_doc(self, include)

    @classmethod
    @in_place_of_odmantics
    def model_validate_doc(cls, raw_doc: dict[str, Any]) -> Self:  # as ODMantic's
        """Return the instance of a document, as ODMantic does; references that it does not have are not loaded, and
        keep their keys.

        Raises:
            DocumentParsingError: the document does not fit the model.
        """
        if any(field.is_special for field in class_mapping(cls).references):
            return cast("Self", parse(cls, raw_doc))
        return cast("Self", cast("Any", Model).model_validate_doc.__func__(cls, raw_doc))

    def __copy__(self) -> Self:
        twin = cast("Self", Model.__copy__(self))  # type: ignore[redundant-cast]  # not to pyright
        make_new(twin)
        return twin

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        twin = cast("Self", Model.__deepcopy__(self, memo))  # type: ignore[redundant-cast]  # not to pyright
        make_new(twin)
        return twin

    def __setstate__(self, state: dict[Any, Any]) -> None:
        Model.__setstate__(self, state)
        make_new(self)


class _Key:
    """`_id`: on the class, the column of the primary field; on an instance, its key as text, once there is one."""

    def __get__(self, instance: MongoBaseModel | None, owner: type[MongoBaseModel]) -> Column[Any] | str | None:
        mapping = class_mapping(owner)
        if instance is None:
            return top_level(mapping, mapping.fields[mapping.primary])
        state = state_of(instance)
        known = mapping.primary in instance.model_fields_set or (state is not None and state.is_stored)
        return str(mapping.key_of(instance)) if known else None

    def __set__(self, instance: MongoBaseModel, value: object) -> None:
        _set_key(instance, value)


def _set_key(instance: MongoBaseModel, value: object) -> None:
    mapping = class_mapping(type(instance))
    state = state_of(instance)
    if state is not None and (state.is_stored or state.owner is not None):
        raise InvalidRequestError(f"{describe(instance)} is in a session or stored: its key can no longer be changed")
    key = validated(mapping, mapping.fields[mapping.primary], value, f"{mapping.name}._id")
    # Past ODMantic, which lets nobody assign a primary key.
    instance.__dict__[mapping.primary] = key
    instance.model_fields_set.add(mapping.primary)


# Set here because Pydantic takes a name with an underscore in a class body for a private attribute.
type.__setattr__(MongoBaseModel, "_id", _Key())
