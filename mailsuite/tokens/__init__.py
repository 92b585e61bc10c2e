"""Bearer tokens (RFC 6750): whose they are. Signed ones say so themselves; of others the issuer is asked."""
