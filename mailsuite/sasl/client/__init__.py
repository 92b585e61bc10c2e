"""The client's side of SASL: one module a mechanism; each names its class as ``PART``."""
