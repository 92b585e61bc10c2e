"""App passwords as rows: what is kept, listed and refused."""

import re

import pytest

from mailsuite.directory.accounts import Accounts
from mailsuite.directory.app_passwords import LABEL_CHARACTERS, MOST, SCOPES, AppPassword, drawn
from mailsuite.directory.errors import BadName, Exists, NoSuch
from mailsuite.directory.passwords import Passwords

ALICE = "alice@example.com"


def test_one_is_drawn_as_people_can_copy_it() -> None:
    """Twenty letters and digits of which none looks like another, and each time others."""
    found = {drawn() for _ in range(50)}

    assert len(found) == 50
    assert all(re.fullmatch(r"[a-km-np-z2-9]{5}(-[a-km-np-z2-9]{5}){3}", each) for each in found)


def test_add_list_and_remove(accounts: Accounts) -> None:
    """Each by its label; those of others are theirs."""
    assert accounts.app_passwords.add("Alice@Example.com", "phone", ("pop3",), "x") == AppPassword("phone", ("pop3",))
    accounts.app_passwords.add(ALICE, "drücker 2", (), "y")
    accounts.app_passwords.add("bob@example.com", "phone", ("pop3", "smtp"), "z")

    assert accounts.app_passwords.list(ALICE) == (AppPassword("phone", ("pop3",)), AppPassword("drücker 2", SCOPES))
    accounts.app_passwords.remove(ALICE, "phone")
    assert [each.label for each in accounts.app_passwords.list(ALICE)] == ["drücker 2"]
    assert [each.label for each in accounts.app_passwords.list("bob@example.com")] == ["phone"]


def test_they_outlive_a_new_password(accounts: Accounts) -> None:
    """And go with their user."""
    accounts.app_passwords.add(ALICE, "phone", (), "x")
    accounts.users.set_password(ALICE, "new")
    assert len(accounts.app_passwords.list(ALICE)) == 1

    accounts.users.remove(ALICE)
    accounts.users.add(ALICE)
    assert accounts.app_passwords.list(ALICE) == ()


@pytest.mark.parametrize("label", ["", "x" * (LABEL_CHARACTERS + 1), "a\nb", "a\0b", "\ud800"])
def test_an_unfit_label(accounts: Accounts, label: str) -> None:
    """It is refused, and nothing is kept; nor is anything removed by it."""
    with pytest.raises(BadName, match="label"):
        accounts.app_passwords.add(ALICE, label, (), "x")
    assert accounts.app_passwords.list(ALICE) == ()


def test_what_is_refused(accounts: Accounts) -> None:
    """A label twice, one too many, nobody's, one that is not there; the own password is none of them."""
    accounts.app_passwords.add(ALICE, "x" * LABEL_CHARACTERS, (), "x")
    with pytest.raises(Exists, match=r"app-password remove alice@example\.com"):
        accounts.app_passwords.add(ALICE, "x" * LABEL_CHARACTERS, (), "x")
    for number in range(1, MOST):
        accounts.app_passwords.add(ALICE, f"device {number}", (), "x")
    with pytest.raises(BadName, match=f"has {MOST} app passwords"):
        accounts.app_passwords.add(ALICE, "one more", (), "x")
    with pytest.raises(NoSuch):
        accounts.app_passwords.add("nobody@example.com", "phone", (), "x")
    with pytest.raises(NoSuch):
        accounts.app_passwords.list("nobody@example.com")
    for label in ("phone", ""):
        with pytest.raises(NoSuch, match="app-password list"):
            accounts.app_passwords.remove(ALICE, label)
    assert accounts.users.show(ALICE).has_password


def test_a_quick_hash_is_a_hash(passwords: Passwords) -> None:
    """Salted, and never renewed."""
    hashed = passwords.hash_random("abcde-fghij")

    assert hashed != passwords.hash_random("abcde-fghij")
    assert hashed.startswith("{SSHA512}")
    assert passwords.fits("abcde-fghij", hashed)
    assert not passwords.fits("abcde-fghik", hashed)
