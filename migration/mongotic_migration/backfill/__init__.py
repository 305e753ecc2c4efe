"""Changes of many documents that can be stopped, killed and taken up again: each document is changed exactly once.

```python
from mongotic_migration.backfill import Backfill

Backfill("split-names", split_name, User).run(database)
Backfill("all-active", update(User).values(active=True)).run(database, rate=500)
```
"""

from .errors import (
    AnotherChangeError,
    BackfillError,
    ChangeFailedError,
    LockedError,
    LockLostError,
    NotRepeatableError,
)
from .run import Backfill, Preview, Progress

__all__ = [
    "AnotherChangeError",
    "Backfill",
    "BackfillError",
    "ChangeFailedError",
    "LockLostError",
    "LockedError",
    "NotRepeatableError",
    "Preview",
    "Progress",
]
