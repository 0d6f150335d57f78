"""What everybody else feels while a request is under way: probes, ticks of the loop, waits, full pools."""
