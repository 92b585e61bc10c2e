"""SASL (RFC 4422), pure: a mechanism turns responses into a claim that an `IAuthenticator` can check."""
