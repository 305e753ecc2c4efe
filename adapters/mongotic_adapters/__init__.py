"""The engine room behind mongotic: bookkeeping, encoding and flows over an ODMantic engine."""
