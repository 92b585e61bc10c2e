"""Administration: tokens, and the HTTP API with its description."""
