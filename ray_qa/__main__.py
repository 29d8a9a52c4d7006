"""``python -m ray_qa`` is ``ray-qa``."""

import sys

from ray_qa.cli.main import main

sys.exit(main())
