"""Targets in Postfix's tables, as Postfix reads them."""

import pytest

from mailsuite.directory.postfix_maps import targets


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example", ["a@b.example"]),
        ("ann, bob ,cara", ["ann@x.example", "bob@x.example", "cara@x.example"]),
        # Missing commas are added on the fly (tok822_parse(3)), and tables of old servers live by that.
        ("ann bob\tcara@b.example,  dave", ["ann@x.example", "bob@x.example", "cara@b.example", "dave@x.example"]),
        ("\\ann, \\ bob", ["ann@x.example", "bob@x.example"]),
        ('"a, b"@b.example "c d"', ['"a, b"@b.example', '"c d"@x.example']),
        (", ,", []),
    ],
)
def test_addresses(value: str, expected: list[str]) -> None:
    """Parted by commas, white space or both, but not within quotes."""
    assert targets(value, "x.example") == expected


@pytest.mark.parametrize(
    "value",
    [
        "|/bin/list", '"|/bin/list a, b"', "ann /dev/null", ":include:/etc/list", "ann, :include:/etc/list",
        "Ann <ann@b.example>", "ann (at home)", '"ann', 'ann "|/bin/list',
    ],
)  # fmt: skip
def test_what_is_no_address(value: str) -> None:
    """And must not be taken for one: half of a name would be somebody else."""
    with pytest.raises(ValueError, match=r"command|something else"):
        targets(value, "x.example")
