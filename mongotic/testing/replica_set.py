"""Makes a replica set of members that answer, and waits for states. Called by EmbeddedMongo.

The commands are MongoDB's `replSetInitiate`, `replSetStepUp`, `appendOplogNote` and `hello`, sent to single members
with `directConnection`, because a client of the set would wait for a primary that is not there yet.
"""

from collections.abc import Sequence
from contextlib import ExitStack, suppress

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from mongotic.testing.deadline import Deadline
from mongotic.testing.member import SET_NAME, Member, direct_client

Client = MongoClient[dict[str, object]]

# MongoDB's defaults are 10 s and 2 s. Tests that kill a primary wait this long for the next one; much less than this,
# and a machine busy with tests holds elections nobody asked for.
ELECTION_TIMEOUT_MILLISECONDS = 2000
HEARTBEAT_MILLISECONDS = 500

# Names of flags in the reply to `hello`.
PRIMARY = ("isWritablePrimary",)
SERVING = ("isWritablePrimary", "secondary")


def initiate(members: Sequence[Member], deadline: Deadline) -> None:
    """Make the set; return when there is a primary, all others are secondary, and all of them replicate.

    Raises:
        EmbeddedMongoError: not in time.
        pymongo.errors.PyMongoError: a member refused a command or went away.
    """
    with ExitStack() as stack:
        clients = [stack.enter_context(direct_client(member)) for member in members]
        clients[0].admin.command("replSetInitiate", configuration(members))
        if len(members) == 1:
            _await_role(clients, PRIMARY, deadline)
            return
        _await_all_serving(clients, deadline)
        # All can vote now, so the election need not wait for its timeout. Refused if one is under way.
        with suppress(OperationFailure):
            clients[0].admin.command("replSetStepUp")
        primary = _await_role(clients, PRIMARY, deadline)
        # A fresh secondary looks for somebody to copy from once a second; the caller's first write would wait for it.
        everywhere = {"w": len(members), "wtimeout": deadline.remaining_milliseconds()}
        primary.admin.command("appendOplogNote", data={}, writeConcern=everywhere)
        _await_all_serving(clients, deadline)


def await_member(member: Member, *, alone: bool, deadline: Deadline) -> None:
    """Return when a restarted member serves again: as the primary if it is alone in the set, else in either role.

    Raises:
        EmbeddedMongoError: not in time.
        pymongo.errors.PyMongoError: it went away.
    """
    with direct_client(member) as client:
        _await_role([client], PRIMARY if alone else SERVING, deadline)


def configuration(members: Sequence[Member]) -> dict[str, object]:
    """Return the argument of `replSetInitiate`."""
    return {
        "_id": SET_NAME,
        "members": [{"_id": index, "host": member.address} for index, member in enumerate(members)],
        "settings": {
            "electionTimeoutMillis": ELECTION_TIMEOUT_MILLISECONDS,
            "heartbeatIntervalMillis": HEARTBEAT_MILLISECONDS,
        },
    }


def _await_all_serving(clients: Sequence[Client], deadline: Deadline) -> None:
    for client in clients:
        _await_role([client], SERVING, deadline)


def _await_role(clients: Sequence[Client], roles: Sequence[str], deadline: Deadline) -> Client:
    """Return the first client whose member says it has one of these roles."""
    while True:
        for client in clients:
            hello = client.admin.command("hello")
            if any(hello.get(role) for role in roles):
                return client
        deadline.pause(f"no member reports {' or '.join(roles)}")
