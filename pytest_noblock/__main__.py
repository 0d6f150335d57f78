"""`python -m pytest_noblock merge A.json B.json --report=all.html`: see `merge.command`."""

import sys

from pytest_noblock.merge.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
