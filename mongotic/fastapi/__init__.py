"""mongotic in services built with FastAPI or Starlette: sessions for requests, a lifespan, answers to errors, keys.

Imported by services.  All of it works with Starlette alone, but for the two that make dependencies of FastAPI.

```python
def connect() -> async_sessionmaker:
    return async_sessionmaker(create_async_engine("mongodb://localhost:27017/shop"))

app = FastAPI(lifespan=lifespan(connect, Book), exception_handlers=exception_handlers())

@app.get("/books/{key}")
async def read(key: DocumentId, session: Annotated[AsyncSession, async_session_dependency()]) -> Book:
    return await session.get_one(Book, key)
```
"""

from .error_answers import exception_handlers
from .keys import DocumentId, ObjectIdConvertor
from .lifespan import lifespan
from .sessions import async_session_dependency, open_async_session, open_session, session_dependency

__all__ = [
    "DocumentId",
    "ObjectIdConvertor",
    "async_session_dependency",
    "exception_handlers",
    "lifespan",
    "open_async_session",
    "open_session",
    "session_dependency",
]
