"""The frames of all threads, without CPython 3.11's deadlock.

`sys._current_frames` (private by its name, documented; CPython 3.11 to 3.15) has the interpreter's lock while it makes
frame objects. In 3.11 each new object may start a garbage collection, and what the collection runs (a finalizer of the
app's, and with it a look of ours) may ask for the same lock: the process stands still for good (python/cpython#106883,
never mended in 3.11; seen here on 3.11.7). From 3.12 on a collection waits for the next instruction. So in 3.11 no
collection starts meanwhile.
"""

import gc
import sys
import threading
from types import FrameType

if sys.version_info >= (3, 12):
    current_frames = sys._current_frames

else:

    def current_frames() -> dict[int, FrameType]:
        """By the idents of the threads. For these microseconds no thread's garbage is collected."""
        collects = gc.isenabled()
        gc.disable()
        try:
            frames = sys._current_frames()
        finally:
            if collects:
                gc.enable()
        frames[threading.get_ident()] = sys._getframe(1)  # without this function
        return frames
