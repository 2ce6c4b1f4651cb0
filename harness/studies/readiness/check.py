"""A check and its result."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sealproof.harness.studies.readiness.mending import explain


class State(Enum):
    """How something stands."""

    READY = "ready"
    ABSENT = "not installed"
    """Optional, and not here: no fault."""
    UNTESTED = "not as tested"
    """Another version than those that sealproof's requirements name: it may work all the same."""
    BROKEN = "BROKEN"
    """It should work here and does not."""


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        kind: What sort of thing was tried: `scheme`, `attacks`, ...
        name: The thing.
        state: How it stands.
        text: Of what is ready, facts about it; otherwise why it is not, in sentences.
        command: What mends it; empty where nothing is known to, or `text` says it.
        trace: Where it went wrong, for those who look into it.
    """

    kind: str
    name: str
    state: State
    text: str = ""
    command: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Check:
    """Something to be tried.

    Attributes:
        kind: As in `CheckResult`.
        name: As in `CheckResult`.
        attempt: Tries it, and returns its state with a text; an exception means that it is broken.
    """

    kind: str
    name: str
    attempt: Callable[[], tuple[State, str]]

    def run(self) -> CheckResult:
        """Try it; never raises."""
        try:
            state, text = self.attempt()
        except Exception as error:
            # Whatever is wrong with one thing on this machine, the others are to be tried, too.
            reason, command = explain(error)
            return CheckResult(self.kind, self.name, State.BROKEN, reason, command, traceback.format_exc())
        return CheckResult(self.kind, self.name, state, text)
