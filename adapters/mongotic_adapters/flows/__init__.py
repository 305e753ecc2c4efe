"""The order of input and output, written once for blocking and awaiting sessions.

Every function here is `async def` over a `Port`.  `AsyncSession` awaits it; `Session` drives it with `driving.run`,
which needs no event loop because a blocking port never suspends.
"""
