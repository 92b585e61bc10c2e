"""Each key of the configuration: type, default, range and one sentence; one file for tables that go together."""
