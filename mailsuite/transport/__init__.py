"""The only `Protocol` classes: cores are driven here, over TCP and TLS."""
