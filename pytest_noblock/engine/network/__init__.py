"""Round trips: by the kernel's byte counters, by calls that are known to block."""
