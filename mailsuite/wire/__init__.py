"""What the line-based mail protocols share: lines, dot-stuffed bodies, session events."""
