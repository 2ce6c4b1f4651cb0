"""The one error that this package raises."""


class AttackError(ValueError):
    """An attack was asked for something it cannot do, or did not do what it states.

    The message says who complains, what the rule is, which value broke it and what to do.
    """
