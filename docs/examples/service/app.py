"""The endpoints of the bookshop.  `__main__` serves them; the tests ask them over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import StreamingResponse

from mongotic import func, select, update
from mongotic.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from mongotic.fastapi import DocumentId, async_session_dependency, exception_handlers, lifespan
from mongotic.ops import inc

from .models import Book, BookChange, NewBook, Publisher, Sale

# The session of a request: closed after it, committed where the handler says so ...
Opened = Annotated[AsyncSession, async_session_dependency()]
# ... or committed by itself once the handler has returned.
Committed = Annotated[AsyncSession, async_session_dependency(commit=True)]


def create_app(url: str, database: str = "bookshop") -> FastAPI:
    """Return the service, which connects to *url* when it starts."""

    def connect() -> async_sessionmaker:
        return async_sessionmaker(create_async_engine(url, tz_aware=True), database=database)

    app = FastAPI(
        title="Bookshop", lifespan=lifespan(connect, Publisher, Book, Sale), exception_handlers=exception_handlers()
    )

    @app.post("/publishers", status_code=201)
    async def create_publisher(publisher: Publisher, session: Committed) -> Publisher:
        session.add(publisher)
        return publisher

    @app.post("/books", status_code=201)
    async def create_book(new: NewBook, session: Committed) -> Book:
        publisher = await session.get_one(Publisher, new.publisher)
        book = Book(
            isbn=new.isbn, title=new.title, price=new.price, stock=new.stock, tags=new.tags, publisher=publisher
        )
        session.add(book)
        return book

    @app.get("/books")
    async def list_books(
        session: Opened, tag: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20, offset: int = 0
    ) -> list[Book]:
        query = select(Book).order_by(Book.title, Book.isbn).limit(limit).offset(offset)
        if tag is not None:
            query = query.filter_by(tags=tag)
        return await session.scalars(query).all()

    @app.get("/books.csv")
    async def export(session: Opened) -> StreamingResponse:
        rows = session.stream(select(Book.isbn, Book.price).order_by(Book.isbn))
        lines = (f"{isbn},{price}\n" async for isbn, price in rows)
        return StreamingResponse(lines, media_type="text/csv")

    @app.get("/books/{key}")
    async def read_book(key: DocumentId, session: Opened) -> Book:
        return await session.get_one(Book, key)

    @app.patch("/books/{key}")
    async def change_book(key: DocumentId, change: BookChange, session: Opened) -> Book:
        book = await session.get_one(Book, key)
        if book.version != change.version:
            raise HTTPException(409, f"version {change.version} was changed meanwhile; this is {book.version}")
        for name, value in change.model_dump(exclude={"version"}, exclude_none=True).items():
            setattr(book, name, value)
        await session.commit()
        return book

    @app.delete("/books/{key}", status_code=204)
    async def delete_book(key: DocumentId, session: Opened) -> Response:
        session.delete(await session.get_one(Book, key))
        await session.commit()
        return Response(status_code=204)

    @app.post("/books/{key}/sales", status_code=201)
    async def sell(key: DocumentId, session: Opened, copies: Annotated[int, Query(ge=1)] = 1) -> Sale:
        async with session.begin():  # both or neither
            book = await session.get_one(Book, key)
            sold = await session.execute(
                update(Book).where(Book.id == key, Book.stock >= copies).values(stock=inc(-copies))
            )
            if sold.rowcount == 0:
                raise HTTPException(409, f"fewer than {copies} copies are left")
            sale = Sale(isbn=book.isbn, copies=copies, total=book.price * copies)
            session.add(sale)
        return sale

    @app.get("/sales")
    async def sales(session: Opened) -> dict[str, float]:
        query = select(Sale.isbn, func.sum(Sale.total).label("total")).group_by(Sale.isbn)
        return {isbn: total or 0.0 async for isbn, total in await session.execute(query)}

    return app
