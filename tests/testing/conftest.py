"""Lets the tests here share `broken_learners` and the marks of those of learners."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "learners")]
