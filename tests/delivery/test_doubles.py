"""The doubles for delivery are what they stand in for."""

from zope.interface.verify import verifyObject

from mailsuite.interfaces import IConnector, IContent, IDeliveryTarget, IRespondent, IRouter
from tests.delivery.world import ROUTE, World
from tests.doubles_delivery import FixedRouter, FixedTarget, MemoryConnector, PieceContent, Scripted, job


def test_doubles_are_verified() -> None:
    """Methods, arguments and all."""
    assert verifyObject(IConnector, MemoryConnector())
    assert verifyObject(IContent, PieceContent(()))
    assert verifyObject(IRouter, FixedRouter(ROUTE))
    assert verifyObject(IDeliveryTarget, FixedTarget())


def test_sessions_answer_questions() -> None:
    """What the connector is given is a respondent."""
    world = World({"192.0.2.1": Scripted()})
    world.deliver(job("bob@b.example"))

    assert verifyObject(IRespondent, world.pool.take(ROUTE))
