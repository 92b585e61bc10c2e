"""The site's return addresses (`mailsuite.srs`): by which secrets they are made and proved, and for which mail."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from mailsuite.address import domain_key
from mailsuite.config import Settings
from mailsuite.policy.srs_secrets import Secrets
from mailsuite.srs import Rewriting


class Returns:
    """See `mailsuite.config.tables.srs`. *now* gives POSIX time."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self._now = now
        self._enabled = settings.srs.enabled
        self.secrets = Secrets(settings.srs.secrets)
        self._days = settings.srs.days
        domain = domain_key(settings.srs.domain or settings.hostname)
        # What was sent on while it was enabled still comes back.
        self.restoring = Rewriting(domain, self._days, self.secrets)

    @property
    def sending(self) -> Rewriting | None:
        """How senders are rewritten, if they are."""
        return self.restoring if self._enabled else None

    def load(self) -> None:
        """Read the secrets, made where there are none. Blocks. Raises `BadSecrets` or `OSError`."""
        self.secrets.load(self._today())

    def rotate(self) -> int:
        """Make a new secret the first; return how many there are then. Blocks. Raises as `load`."""
        self.load()
        return self.secrets.rotate(self._today(), self._days)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()
