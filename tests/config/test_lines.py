"""Where keys stand in a TOML text."""

import tomllib

import pytest

from mailsuite.config.lines import key_lines, line_of

TEXT = '''\
# hostname = "not here"
hostname = "mail" # a comment with = and [
dns.servers = ["a = 1", [
  "[limits]",
]]
text = """
[log]
recipients = 3
"""
other = \'\'\'
[log]\'\'\'
[limits]
"message_size" = 1
'errors' = 2
[listen."a b".inner]
service.x = { endpoint = "tcp:25" }
[ listen . b ]
last = 1\
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("hostname", 2), ("dns", 3), ("dns/servers", 3), ("text", 6), ("other", 10), ("limits", 12),
        ("limits/message_size", 13), ("limits/errors", 14), ("listen/a b", 15), ("listen/a b/inner", 15),
        ("listen/a b/inner/service/x", 16), ("listen/b", 17), ("listen/b/last", 18),
    ],
)  # fmt: skip
def test_each_key_has_its_line(path: str, line: int) -> None:
    """Tables, dotted and quoted keys; what stands in strings and comments is not a key."""
    assert key_lines(TEXT)[tuple(path.split("/"))] == line


def test_nothing_else_is_taken_for_a_key() -> None:
    """Every path that was found is one for TOML too."""
    table = tomllib.loads(TEXT)
    for path in key_lines(TEXT):
        value = table
        for part in path:
            value = value[part]


def test_a_key_of_an_inline_table_has_the_line_of_its_table() -> None:
    """The nearest line that is known is better than none."""
    path = ("listen", "a b", "inner", "service", "x", "endpoint")

    assert line_of(path, key_lines(TEXT)) == 16


def test_what_is_not_there_has_no_line() -> None:
    """A missing key has no place."""
    assert line_of(("store",), key_lines(TEXT)) is None


def test_escapes_in_quoted_keys_are_read() -> None:
    """A key is compared as TOML reads it."""
    text = '"a\\"b\\u00e9\\U0001F600" = 1\n'

    assert set(key_lines(text)) == {tuple(tomllib.loads(text))}


def test_windows_line_ends_count_once() -> None:
    """CRLF is one line end."""
    assert key_lines("a = 1\r\n\r\nb = 2\r\n") == {("a",): 1, ("b",): 3}
