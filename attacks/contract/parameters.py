"""What strength an attack accepts, and how that strength is written in an id."""

import math
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from sealproof.attacks.contract.errors import AttackError

Value = int | float | str

RULE = "sealproof.attacks.rule"
"""Key of the `ParameterRule` in the metadata of a dataclass field."""

_NUMBER = r"-?\d+(?:\.\d+)?"


@dataclass(frozen=True, kw_only=True)
class ParameterRule:
    """The values that one parameter accepts and the unit that its ids carry.

    Attributes:
        unit: Letters that follow the number in an id (`db`, `khz` is written for whole multiples of 1000 `hz`).
        kind: `float`, `int` or `str`; integers are accepted, and normalised, where the kind is float.
        low: Smallest value, or None for no bound.
        high: Largest value, or None for no bound.
        above_low: True if `low` itself is refused.
        below_high: True if `high` itself is refused.
        excluding: One value within the bounds that is refused because the attack would then do nothing.
        choices: The only values accepted, or empty for all values within the bounds.
    """

    unit: str
    kind: type[int] | type[float] | type[str]
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    below_high: bool = False
    excluding: float | None = None
    choices: tuple[Value, ...] = ()

    def check(self, attack: str, parameter: str, value: object) -> Value:
        """Return the value in its normal form.

        Args:
            attack: Name of the attack, for the message.
            parameter: Name of the parameter, for the message.
            value: What was passed.

        Raises:
            AttackError: If the value has the wrong type, is not finite or breaks the rule.
        """
        normal = self._normalise(value)
        if normal is None or not self._accepts(normal):
            raise AttackError(f"The '{parameter}' of {attack} must be {self.describe()}. Got {value!r}.")
        return normal

    def _normalise(self, value: object) -> Value | None:
        """The value in the kind of this rule, or None if its type does not fit or it is not finite."""
        if self.kind is str:
            return value if isinstance(value, str) else None
        if isinstance(value, bool):  # a bool is an int to Python, but no strength
            return None
        if self.kind is int:
            return int(value) if isinstance(value, (int, np.integer)) else None
        if not isinstance(value, (int, float, np.integer, np.floating)):
            return None
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the range of float
            return None
        return number + 0.0 if math.isfinite(number) else None  # + 0.0: there is one zero, not two

    def _accepts(self, value: Value) -> bool:
        if self.choices or isinstance(value, str):
            return value in self.choices
        if self.low is not None and (value < self.low or (self.above_low and value == self.low)):
            return False
        if self.high is not None and (value > self.high or (self.below_high and value == self.high)):
            return False
        return value != self.excluding

    def describe(self) -> str:
        """Say in words which values are accepted; completes the sentence "It must be ..."."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        words = ["a whole number" if self.kind is int else "a finite number"]
        if self.low is not None:
            words.append(f"{'above' if self.above_low else 'of at least'} {self.low:g}")
        if self.high is not None:
            words.append(f"{'below' if self.below_high else 'of at most'} {self.high:g}")
        text = words[0] + (" " + " and ".join(words[1:]) if len(words) > 1 else "")
        return text if self.excluding is None else f"{text}, other than {self.excluding:g}"

    def format(self, value: Value) -> str:
        """Write a value as it stands in an id, e.g. `64kbps`, `4khz`, `500hz`, `-6db`."""
        if isinstance(value, str):
            return value + self.unit
        if self.unit == "hz" and value > 0 and value % 1000 == 0:
            return f"{_digits(value / 1000)}khz"
        return _digits(value) + self.unit

    @property
    def pattern(self) -> str:
        """Regular expression for what `format` writes."""
        if self.kind is str:
            return "(?:" + "|".join(re.escape(str(choice)) for choice in self.choices) + ")" + self.unit
        return _NUMBER + ("k?hz" if self.unit == "hz" else self.unit)

    def parse(self, text: str) -> Value:
        """Read back what `format` wrote; `text` has matched `pattern`."""
        if self.kind is str:
            return text.removesuffix(self.unit)
        scale = 1
        number = text.removesuffix(self.unit)
        if self.unit == "hz" and number.endswith("k"):
            number, scale = number.removesuffix("k"), 1000
        # A fraction where a whole number belongs stays a float, so that `check` refuses it with its own message.
        return int(number) * scale if self.kind is int and "." not in number else float(number) * scale


def _digits(value: float) -> str:
    """Shortest decimal digits that read back as the same number, never with an exponent."""
    return str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-")


def parameter(
    *,
    unit: str,
    kind: type[int] | type[float] | type[str] = float,
    low: float | None = None,
    high: float | None = None,
    above_low: bool = False,
    below_high: bool = False,
    excluding: float | None = None,
    choices: tuple[Value, ...] = (),
    default: Value | None = None,
) -> Any:
    """Declare one parameter of an attack: a dataclass field with its rule as metadata.

    Like `dataclasses.field` it returns Any, because it stands where a value of the field's type is expected.

    Args:
        unit: Letters that follow the value in an id, e.g. `db`; only a `str` parameter may have none.
        kind: `float` (default), `int` or `str`.
        low: Smallest value accepted.
        high: Largest value accepted.
        above_low: Refuse `low` itself.
        below_high: Refuse `high` itself.
        excluding: A value within the bounds at which the attack would do nothing.
        choices: The only values accepted; needed for `str`.
        default: Value of a parameter that need not be given.

    Raises:
        ValueError: If the declaration itself is wrong: it could not be written in an id.
    """
    if not re.fullmatch(r"[a-z]*", unit) or (not unit and kind is not str):
        raise ValueError(f"The unit of a parameter must be lower-case letters. Got {unit!r}.")
    if kind is str and not (choices and all(re.fullmatch(r"[A-Za-z0-9_-]+", str(choice)) for choice in choices)):
        raise ValueError(f"A text parameter needs choices of letters, digits, '_' and '-'. Got {choices!r}.")
    rule = ParameterRule(
        unit=unit,
        kind=kind,
        low=low,
        high=high,
        above_low=above_low,
        below_high=below_high,
        excluding=excluding,
        choices=choices,
    )
    return field(metadata={RULE: rule}) if default is None else field(default=default, metadata={RULE: rule})


def params_text(params: Mapping[str, Value]) -> str:
    """Write parameters as `name=value` joined by `;`; a whole number has no decimals, as in ids."""
    texts = {name: f"{value:.12g}" if isinstance(value, float) else str(value) for name, value in params.items()}
    return ";".join(f"{name}={text}" for name, text in texts.items())


@dataclass(frozen=True, kw_only=True)
class Parameterised:
    """Something whose fields are parameters, and whose id is its name and their values.

    Attributes:
        name: Lower-case name in the registry and first part of every id.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for item in fields(self):
            value = _rule(type(self), item).check(self.name, item.name, getattr(self, item.name))
            object.__setattr__(self, item.name, value)  # frozen: the one place where the normal form is stored

    @property
    def params(self) -> dict[str, Value]:
        """The parameters by name, in the order in which the id lists them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def id(self) -> str:
        """Name and parameters, e.g. `mp3.64kbps` or `echo.100ms.0.4x`; equal ones have equal ids."""
        strengths = [_rule(type(self), item).format(getattr(self, item.name)) for item in fields(self)]
        return ".".join([self.name, *strengths])

    @classmethod
    def from_id(cls, spec: str) -> Self:
        """Build what an id names.

        Raises:
            AttackError: If the text is not an id of this class or a parameter is refused.
        """
        rules = {item.name: _rule(cls, item) for item in fields(cls)}
        pattern = re.escape(cls.name) + "".join(rf"\.(?P<{name}>{rule.pattern})" for name, rule in rules.items())
        match = re.fullmatch(pattern, spec, flags=re.ASCII)
        if match is None:
            form = ".".join([cls.name, *(f"<{name}>{rule.unit}" for name, rule in rules.items())])
            raise AttackError(f"An id of {cls.name} must have the form '{form}'. Got '{spec}'.")
        return cls(**{name: rule.parse(match[name]) for name, rule in rules.items()})


def _rule(cls: type[Parameterised], item: Field[Any]) -> ParameterRule:
    rule = item.metadata.get(RULE)
    if not isinstance(rule, ParameterRule):
        raise AttackError(
            f"The field '{item.name}' of {cls.name} must be declared with parameter(unit=..., ...), "
            "so that it can be checked and written in the id."
        )
    return rule
