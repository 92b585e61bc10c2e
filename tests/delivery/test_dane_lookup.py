"""Where TLSA records are looked for: RFC 7672 §2.2, by name, port, aliases and what is signed."""

import pytest

from mailsuite.delivery.dane import Associations
from mailsuite.delivery.dane_lookup import associations
from mailsuite.dns import MX, TLSA, DnsTrouble
from mailsuite.route import Route
from tests.delivery.chains import result
from tests.doubles_dns import FixedResolver

EE = TLSA(3, 1, 1, bytes(32))
TA = TLSA(2, 0, 1, bytes(32))
HOST = "mx.b.example"
NAME = "_25._tcp.mx.b.example"
FAR = "far.c.example"
FAR_NAME = "_25._tcp.far.c.example"
BY_MX = Route("b.example", "b.example")
BY_HOST = Route("relay", "b.example", host=HOST, port=587)


def resolver(tlsa: dict[str, list[TLSA]], *unsigned: str, aliases: dict[str, str] | None = None) -> FixedResolver:
    """Return a resolver for b.example and what its host is an alias of, all signed but *unsigned*."""
    secure = {"b.example", "alias.example", HOST, FAR, NAME, FAR_NAME, *tlsa, *(aliases or {})} - set(unsigned)
    mx = {"b.example": [MX(10, HOST)]}
    return FixedResolver(mx, {HOST: ["192.0.2.1"], FAR: ["192.0.2.2"]}, tlsa=tlsa, aliases=aliases, secure=secure)


def look(names: FixedResolver, route: Route = BY_MX, secure: bool = True, host: str = HOST) -> Associations | None:
    """Return what is found."""
    return result(associations(names, route, host, secure))


def asked(names: FixedResolver) -> list[str]:
    """Return the names whose TLSA records were asked for."""
    return [name for method, name in names.asked if method == "tlsa"]


def test_the_host_of_secure_mx_records() -> None:
    """Its own name is the base domain, and enough for a record that asks for no names."""
    names = resolver({NAME: [EE]})

    assert look(names) == Associations(HOST, (HOST,), (EE,))
    assert asked(names) == [NAME]


def test_any_form_of_a_name() -> None:
    """Names are compared as A-labels in lower case, without the last dot."""
    assert look(resolver({NAME: [EE]}), host="MX.B.Example.") == Associations(HOST, (HOST,), (EE,))


def test_the_port_of_a_route() -> None:
    """RFC 7672 §2.2.3: the records of the port that is used."""
    names = resolver({NAME: [EE], "_587._tcp.mx.b.example": [TA]})

    assert look(names, BY_HOST) == Associations(HOST, (HOST,), (TA,))


@pytest.mark.parametrize("tlsa", [{}, {NAME: []}, {"_25._tcp.b.example": [EE]}])
def test_none(tlsa: dict[str, list[TLSA]]) -> None:
    """No such name, no records, records of another name: DANE does not apply."""
    names = resolver(tlsa)

    assert look(names) is None
    assert asked(names) == [NAME]


def test_records_that_are_not_signed() -> None:
    """They say nothing."""
    assert look(resolver({NAME: [EE]}, NAME)) is None


def test_addresses_that_are_not_signed() -> None:
    """RFC 7672 §2.2.2: not even asked, since name servers of unsigned zones often fail for this type."""
    names = resolver({NAME: [EE]}, HOST)

    assert look(names, secure=False) is None
    assert asked(names) == []


@pytest.mark.parametrize("trouble", [("tlsa", NAME), ("addresses", HOST)])
def test_trouble(trouble: tuple[str, str]) -> None:
    """RFC 7672 §2.1.2: a host about which nobody can say is not used."""
    names = resolver({NAME: [EE]})
    names.troubled = {trouble}

    with pytest.raises(DnsTrouble):
        look(names)


def test_a_host_that_is_gone() -> None:
    """It had addresses when it was chosen; now nobody can say."""
    with pytest.raises(DnsTrouble):
        look(resolver({}), host="gone.b.example")


def test_only_unusable_records() -> None:
    """They are an answer, not none (RFC 7672 §2.2)."""
    assert look(resolver({NAME: [TLSA(1, 1, 1, bytes(32))]})) == Associations(HOST, (HOST,), ())


def test_an_alias_that_is_signed_all_the_way() -> None:
    """RFC 7672 §2.2.3: the expanded name first, then the name itself."""
    names = resolver({FAR_NAME: [EE], NAME: [TA]}, aliases={HOST: FAR})
    found = look(names)
    assert found == Associations(FAR, (FAR,), (EE,))
    assert asked(names) == [FAR_NAME]

    names = resolver({NAME: [EE]}, aliases={HOST: FAR})
    assert look(names) == Associations(HOST, (HOST,), (EE,))
    assert asked(names) == [FAR_NAME, NAME]


def test_an_alias_whose_expanded_records_are_not_signed() -> None:
    """They do not count, and the name itself does."""
    names = resolver({FAR_NAME: [EE], NAME: [EE]}, FAR_NAME, aliases={HOST: FAR})

    assert look(names) == Associations(HOST, (HOST,), (EE,))


def test_an_alias_that_leads_out_of_what_is_signed() -> None:
    """RFC 7672 §2.2.2, insecure CNAME: the name itself alone, whose zone is signed if its records are."""
    names = resolver({FAR_NAME: [EE], NAME: [EE]}, FAR, aliases={HOST: FAR})

    assert look(names, secure=False) == Associations(HOST, (HOST,), (EE,))
    assert asked(names) == [NAME]


def test_an_alias_in_trouble_is_not_passed_over() -> None:
    """Trouble with the expanded name is no reason to try the other."""
    names = resolver({NAME: [EE]}, aliases={HOST: FAR})
    names.troubled = {("tlsa", FAR_NAME)}

    with pytest.raises(DnsTrouble):
        look(names)


def test_names_under_an_anchor() -> None:
    """RFC 7672 §3.2.2: base domain and next-hop domain, the latter's expanded name too."""
    found = look(resolver({NAME: [TA]}))
    assert found is not None
    assert found.names == (HOST, "b.example")

    route = Route("alias.example", "Alias.Example")
    found = look(resolver({NAME: [TA]}, aliases={"alias.example": "b.example"}), route)
    assert found is not None
    assert found.names == (HOST, "alias.example", "b.example")

    names = resolver({NAME: [TA]}, "b.example", aliases={"alias.example": "b.example"})
    found = look(names, route)
    assert found is not None
    assert found.names == (HOST, "alias.example")


def test_names_of_a_domain_that_is_gone() -> None:
    """The domain of the route is asked for its aliases; that it does not exist changes nothing."""
    found = look(resolver({NAME: [TA]}), Route("gone.example", "gone.example"))

    assert found is not None
    assert found.names == (HOST, "gone.example")


def test_names_of_a_host_from_a_route() -> None:
    """Base domain and, for an alias, the name that the route has; the recipient's domain is none of its names."""
    service, far = "_587._tcp.mx.b.example", "_587._tcp.far.c.example"
    found = look(resolver({service: [TA]}), BY_HOST)
    assert found is not None
    assert found.names == (HOST,)

    found = look(resolver({far: [TA]}, aliases={HOST: FAR}), BY_HOST)
    assert found is not None
    assert found.names == (FAR, HOST)
