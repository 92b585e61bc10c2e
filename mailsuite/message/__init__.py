"""Messages as values: header sections, trace fields, what submission adds. Pure."""
