"""`python -m pytest_noblock merge A.json B.json --report=all.html`: see `merge.command`."""

import gc
import sys

from pytest_noblock.merge.command import main

if __name__ == "__main__":
    gc.disable()  # a million records have no cycles; to look for them takes a quarter of the time
    sys.exit(main(sys.argv[1:]))
