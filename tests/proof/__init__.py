"""The proof kit: crashes, power cuts and faults at each system call, and the account of every message afterwards."""
