"""Codemods: source files in, the same files written for mongotic out.  `rewrite_command` calls `running`.

`sources` reads files, `bindings` and `kinds` tell what a name stands for, one file per family of rules says what
becomes of it, `report` remembers what was done and what was left alone.
"""
