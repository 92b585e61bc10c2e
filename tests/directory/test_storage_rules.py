"""Quotas in the words of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.database import LARGEST
from mailsuite.directory.storage_rules import amount, quota_of
from mailsuite.meaning import NO_QUOTA, Quota


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", 0), ("1000", 1000), ("10k", 10_240), ("5MB", 5 << 20), ("2GiB", 2 << 30), (" 1T ", 1 << 40),
        ("7B", 7), ("999999999999999999T", LARGEST),
        ("", None), ("G", None), ("-1", None), ("1.5G", None), ("1X", None), ("1" * 19, None), ("٣", None),
        ("1\u212a", None),
    ],
)  # fmt: skip
def test_amounts(text: str, found: int | None) -> None:
    """What is none says nothing."""
    assert amount(text) == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("userdb_quota_rule=*:storage=1G", Quota(1 << 30)),
        ("userdb_quota_rule=*:storage=100", Quota(102_400)),
        ("userdb_quota_rule=*:bytes=100:messages=7", Quota(100, 7)),
        ("userdb_quota_rule=?:messages=7 userdb_quota_rule2=Trash:storage=+1G", Quota(None, 7)),
        ("userdb_quota_storage_size=100 userdb_quota_message_count=9", Quota(100, 9)),
        ("userdb_quota_rule=*:ignore", NO_QUOTA),
        ("userdb_quota_rule=*:storage=10% nologin", NO_QUOTA),
        ("userdb_quota_rule=*:storage=0", Quota(0)),
    ],
)
def test_rules(words: str, found: Quota) -> None:
    """As Dovecot 2.3 and 2.4 have them in a passwd-file; rules of single folders are not ours."""
    assert quota_of(words.split()) == found


@given(st.lists(st.text()))
def test_any_words_may_come(words: list[str]) -> None:
    """Nothing is raised."""
    assert quota_of(words) is not None
