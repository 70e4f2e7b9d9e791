# SPDX-License-Identifier: Apache-2.0
"""The sample and the page hold every option, and the sample is a file that loads."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from redesignate.config.document import rewritten
from redesignate.config.load import load
from redesignate.config.options import list_opts, sections
from redesignate.config.sample import sample
from redesignate.config.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_has_every_option_as_the_program_has_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rewritten(page), "run: python -m redesignate.config.document docs/configuration.md"
    for section, options in sections().items():
        assert f"### `[{section}]`" in page
        for option in options:
            assert f"`{option.dest}`" in page


def test_a_page_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="options: begin"):
        rewritten("# Configuration\n")


def test_the_sample_has_every_option_once_in_its_section() -> None:
    text = sample(shared=False)
    for section, options in sections().items():
        body = text.partition(f"\n[{section}]\n")[2].partition("\n[")[0]
        for option in options:
            assert len(re.findall(rf"(?m)^#{option.dest} =", body)) == 1, (section, option.dest)


def test_the_sample_with_its_comment_signs_taken_off_is_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "designate.conf"
    file.write_text(re.sub(r"(?m)^#(\w+ = [^<\n])", r"\1", sample(shared=False)))
    settings = load(files=[str(file)])
    assert dataclasses.replace(settings, host="localhost", files=()) == Settings()


def test_the_sample_has_the_libraries_sections_too_and_no_password() -> None:
    text = sample()
    for section in ("oslo_messaging_rabbit", "oslo_policy", "keystone_authtoken"):
        assert f"\n[{section}]\n" in text
    assert "#debug = false" in text
    assert text.count("\n[DEFAULT]\n") == 1


def test_oslos_generator_finds_the_options() -> None:
    assert dict(list_opts()).keys() == sections().keys()
