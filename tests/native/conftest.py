"""What tests of native operators share lies beside them, in modules of its own."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent)]  # native_cases, small_convolutions
