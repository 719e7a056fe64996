"""`python -m avsnet`."""

import sys

from avsnet.cli import main

if __name__ == "__main__":
    sys.exit(main())
