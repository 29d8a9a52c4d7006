"""Entry point of evaluate for ``ray job submit``; takes the same flags as ``ray-qa evaluate``."""

import sys

from ray_qa.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
