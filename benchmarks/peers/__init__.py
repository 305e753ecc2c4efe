"""Other libraries at the same workloads, in an environment of their own (`make bench-peers` makes it).

One file for each, which says how that library does the work as its own documentation teaches it; `raw` has what they
are compared with and `race` runs the two.  Nothing here imports this project's mongotic: another package of that name
is among the peers.  `against_peers` calls these files, each workload in a new process.
"""
