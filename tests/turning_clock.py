"""A clock that goes from turn to turn, as a reactor does."""

from twisted.internet.task import Clock


class TurningClock(Clock):
    """Where `advance` makes the calls that calls ask for as well, `turn` leaves these for the next one."""

    def turn(self) -> None:
        """Make the calls that are due, and none that they ask for."""
        for call in [call for call in self.calls if call.getTime() <= self.seconds()]:
            if call.active():
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)
