"""``python -m hffm_opt.cli`` is ``hffm``."""

import sys

from hffm_opt.cli.main import main

sys.exit(main())
