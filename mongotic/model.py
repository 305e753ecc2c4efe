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
from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticUndefined
from typing_extensions import Self

from mongotic_adapters.columns import Column, KeyText
from mongotic_adapters.copies import make_new
from mongotic_adapters.declaration import MongoModelMetaclass, describable
from mongotic_adapters.instance_state import describe, state_of
from mongotic_adapters.mapping import FieldMap, Mapping, class_mapping
from mongotic_adapters.odmantic_internals import assigned_fields, default_key, mark_assigned
from mongotic_adapters.states import State
from mongotic_adapters.validation import validated

from .exceptions import ArgumentError, InvalidRequestError

if TYPE_CHECKING:
    from .session import SessionBase

ModelField = Column  # what mongotic 0.5 calls the class attribute of a field


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
        _id: the key as text; None until the instance is stored or a key was assigned.  Until it is stored, another key
            can be assigned; after None, a new one is made up.
    """

    __databasename__: ClassVar[str]
    __tablename__: ClassVar[str]

    if TYPE_CHECKING:
        id: ObjectId | Any = odmantic.Field(default_factory=ObjectId)  # or a subclass's own field of that name
        __indexes__: ClassVar[Any]  # a list that can be called; a plain list in a declaration

        @property
        def _id(self) -> str | None: ...
        @_id.setter
        def _id(self, value: str | bson.ObjectId | None) -> None: ...

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
            if assigned_fields(self) is None:  # in model_post_init, say, which comes before ODMantic's marks
                mark_assigned(self, set(type(self).model_fields))
            super().__setattr__(name, value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(cast("CoreSchema", describable(schema)))

    def __copy__(self) -> Self:
        twin = cast("Self", super().__copy__())  # type: ignore[redundant-cast]  # not to pyright
        make_new(twin)
        return twin

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        twin = cast("Self", super().__deepcopy__(memo))  # type: ignore[redundant-cast]  # not to pyright
        make_new(twin)
        return twin

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        make_new(self)


class _Key:
    """`_id`: on the class, the primary field as text; on an instance, its key as text, once there is one."""

    def __get__(self, instance: MongoBaseModel | None, owner: type[MongoBaseModel]) -> Column[Any] | str | None:
        mapping = class_mapping(owner)
        if instance is None:
            return KeyText(mapping, "_id", mapping.model.model_fields[mapping.primary].annotation, _primary(mapping))
        known = mapping.primary in instance.model_fields_set or _is_stored(instance)
        return str(mapping.key_of(instance)) if known else None

    def __set__(self, instance: MongoBaseModel, value: object) -> None:
        _set_key(instance, value)


def _primary(mapping: Mapping) -> FieldMap:
    return mapping.fields[mapping.primary]


def _is_stored(instance: MongoBaseModel) -> bool:
    """Tell whether a session, or ODMantic by itself, has stored or loaded the instance."""
    state = state_of(instance)
    if state is not None and state.state is not State.TRANSIENT:
        return state.is_stored
    unsaved = assigned_fields(instance)
    # ODMantic marks the primary field until it has saved or loaded the instance.
    return unsaved is not None and class_mapping(type(instance)).primary not in unsaved


def _set_key(instance: MongoBaseModel, value: object) -> None:
    mapping = class_mapping(type(instance))
    state = state_of(instance)
    if _is_stored(instance) or (state is not None and state.owner is not None):
        raise InvalidRequestError(f"{describe(instance)} is in a session or stored: its key can no longer be changed")
    # Past ODMantic, which lets nobody assign a primary key.
    if value is None:
        instance.__dict__[mapping.primary] = _made_up(mapping)
        instance.model_fields_set.discard(mapping.primary)
    else:
        instance.__dict__[mapping.primary] = validated(mapping, _primary(mapping), value, f"{mapping.name}._id")
        instance.model_fields_set.add(mapping.primary)


def _made_up(mapping: Mapping) -> object:
    key = default_key(mapping.document_model)
    if key is PydanticUndefined:
        raise ArgumentError(f"{mapping.name}._id = None: keys of {mapping.name} are not made up; assign one")
    return key


# Set here because Pydantic takes a name with an underscore in a class body for a private attribute.
type.__setattr__(MongoBaseModel, "_id", _Key())
