"""Network round trips: by the kernel's byte counters, and by calls that are known to block."""
