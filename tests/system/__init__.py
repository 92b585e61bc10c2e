"""The suite as shipped: the real ``twistd``, the real command line, real clients and real faults."""
