"""A real MongoDB for tests and demos, started and stopped by the program that needs it."""

from mongotic.testing.embedded import EmbeddedMongo
from mongotic.testing.errors import EmbeddedMongoError
from mongotic.testing.member import Member

__all__ = ["EmbeddedMongo", "EmbeddedMongoError", "Member"]
