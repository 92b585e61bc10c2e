"""``/v1/users/.../app-passwords``."""

from typing import Literal

from msgspec import Struct

from mailsuite.admin import app_passwords
from mailsuite.admin.api.route import Answer, Asked, Route
from mailsuite.admin.site import Site


class NewAppPassword(Struct, forbid_unknown_fields=True):
    """An app password to be drawn, for the device *label*; without *scopes* it is good for all services."""

    label: str
    scopes: list[Literal["smtp", "pop3"]] = []


def list_all(site: Site, asked: Asked) -> Answer:
    """List a user's app passwords: a few, so all of them."""
    with site.accounts() as accounts:
        found = accounts.app_passwords.list(asked.path["user"])
        return Answer({"items": [app_passwords.as_json(each) for each in found]})


def add(site: Site, asked: Asked) -> Answer:
    """Draw one and tell it: this once."""
    with site.accounts() as accounts:
        drawn = app_passwords.add(accounts, asked.path["user"], asked.body.label, asked.body.scopes)
        told = {"user": drawn.name, **app_passwords.as_json(drawn.added), "password": drawn.password}
        return Answer(told, 201)


def remove(site: Site, asked: Asked) -> Answer:
    """Take one back."""
    with site.accounts() as accounts:
        accounts.app_passwords.remove(asked.path["user"], asked.path["label"])
        return Answer(status=204)


ROUTES = (
    Route("GET", "/v1/users/<user>/app-passwords", list_all),
    Route("POST", "/v1/users/<user>/app-passwords", add, NewAppPassword),
    Route("DELETE", "/v1/users/<user>/app-passwords/<path:label>", remove),
)
