"""The one exception with which the harness refuses bad input."""


class HarnessError(Exception):
    """Bad input or state, told in one line: who, rule, value, and what to do."""
