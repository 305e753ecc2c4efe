"""The page on rewriting says what the codemods do, and names every option there is."""

from __future__ import annotations

import typer

from mongotic_migration import rewrite_command
from mongotic_migration.rewrite.running import CODEMODS
from tests.migration.golden_cases import cases
from tests.migration.rewrite_page import PAGE, page


def test_the_page_is_made_of_the_golden_files() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_codemod_has_cases_and_a_command_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for codemod in CODEMODS:
        assert f"mongotic-migrate rewrite {codemod} " in text
        assert any(case.codemod == codemod for case in cases())


def test_every_option_stands_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    group = typer.main.get_group(rewrite_command.app)
    options = {
        option
        for command in group.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }
    assert {"--write", "--check", "--json", "--style", "--engine"} <= options
    assert not [option for option in sorted(options) if f"`{option}" not in text]
