"""Tools that move a code base and its documents to mongotic."""
