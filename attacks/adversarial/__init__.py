"""Adversaries: attacks that ask the detector, or a copy of it, what to do next.

`get_adversary("hsja.low")` builds one from its id; `list_adversaries()` names all. `contract` says what an adversary is
and sees; `gradients`, `questions` and `sounds` hold the adversaries by what they go by. They know detectors by a numpy
protocol alone, `contract.oracle.Oracle`, and nothing of torch, tensorflow or the harness.
"""

import difflib
from importlib import import_module

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.contract.errors import AttackError

__all__ = ["AdaptiveAttack", "adversary_class", "get_adversary", "list_adversaries", "standard_adversaries"]

_BUILT_IN = {
    "boundary": "sealproof.attacks.adversarial.questions.boundary:Boundary",
    "hsja": "sealproof.attacks.adversarial.questions.hsja:HopSkipJump",
    "mean_mark": "sealproof.attacks.adversarial.sounds.mean_mark:MeanMark",
    "nes": "sealproof.attacks.adversarial.questions.nes:Nes",
    "random_search": "sealproof.attacks.adversarial.questions.random_search:RandomSearch",
    "tone": "sealproof.attacks.adversarial.sounds.tone:Tone",
    "transfer": "sealproof.attacks.adversarial.gradients.transfer:Transfer",
    "transfer_ray": "sealproof.attacks.adversarial.gradients.transfer_ray:TransferRay",
    "universal": "sealproof.attacks.adversarial.gradients.universal:Universal",
    "white_box": "sealproof.attacks.adversarial.gradients.white_box:WhiteBox",
    "white_box_eot": "sealproof.attacks.adversarial.gradients.eot:WhiteBoxEot",
    "white_box_pgd": "sealproof.attacks.adversarial.gradients.pgd:WhiteBoxPgd",
}


def list_adversaries() -> list[str]:
    """Names of all adversaries, sorted."""
    return sorted(_BUILT_IN)


def adversary_class(name: str) -> type[AdaptiveAttack]:
    """Return the class of an adversary.

    Raises:
        AttackError: None has this name.
    """
    if name not in _BUILT_IN:
        near = difflib.get_close_matches(name, _BUILT_IN, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttackError(f"An adversary must be one of {', '.join(list_adversaries())}. Got '{name}'.{hint}")
    module, _, attribute = _BUILT_IN[name].partition(":")
    adversary: type[AdaptiveAttack] = getattr(import_module(module), attribute)
    return adversary


def get_adversary(spec: str) -> AdaptiveAttack:
    """Build an adversary from its id (`hsja.low`), or from its name, with the defaults of its parameters.

    Raises:
        AttackError: The id or the name is unknown, or a parameter is out of range.
    """
    name, dot, _ = spec.partition(".")
    cls = adversary_class(name)
    return cls.from_id(spec) if dot else cls()


def standard_adversaries() -> list[AdaptiveAttack]:
    """Return every adversary in all its standard forms: those that ask questions in either basis, say."""
    return [form for name in list_adversaries() for form in adversary_class(name).standard()]
