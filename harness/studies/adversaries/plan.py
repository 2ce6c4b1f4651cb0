"""Which cells a study is made of."""

from collections.abc import Iterator, Mapping, Sequence

from sealproof.attacks.adversarial import get_adversary, standard_adversaries
from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.adversarial.contract.budget import Budget, SnrBudget
from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS
from sealproof.harness.studies.adversaries.cell import AdversaryCell
from sealproof.harness.studies.adversaries.request import AdversaryRequest
from sealproof.harness.studies.adversaries.target.mask import parse_budget
from sealproof.harness.studies.adversaries.target.surrogates import OWN, SurrogateSource


def chosen(request: AdversaryRequest) -> list[AdaptiveAttack]:
    """Return the adversaries that a study is asked for.

    Raises:
        sealproof.attacks.contract.errors.AttackError: A name or an id is unknown.
    """
    if not request.adversaries:
        return standard_adversaries()
    return [get_adversary(name) for name in request.adversaries]


def plan(
    scheme: str, request: AdversaryRequest, thresholds: Mapping[str, float], sources: Sequence[SurrogateSource]
) -> list[AdversaryCell]:
    """Return the cells of a study.

    Args:
        scheme: Whose detector is attacked.
        request: What is asked for.
        thresholds: By rule; a rule without one is left out.
        sources: Surrogates there are, the detector itself among them where it gives gradients.

    Raises:
        HarnessError: A budget is none.
    """
    budgets = [parse_budget(text) for text in dict.fromkeys(request.budgets)]
    cells = []
    for adversary in chosen(request):
        asks_many = adversary.asks in ("decisions", "scores", "frames") and adversary.most_questions is None
        n_clips = min(request.n_clips, request.n_query_clips) if asks_many else request.n_clips
        for direction in DIRECTIONS:
            for rule in (rule for rule in request.rules if rule in thresholds):
                for source in _sources(adversary, sources):
                    cells += [
                        AdversaryCell(
                            scheme, adversary, direction, rule, thresholds[rule], source, part, request.queries,
                            n_clips, request.seed,
                        )
                        for part in _parts(adversary, budgets)
                    ]  # fmt: skip
    return cells


def _sources(adversary: AdaptiveAttack, sources: Sequence[SurrogateSource]) -> Iterator[SurrogateSource | None]:
    if adversary.knows != "surrogate":
        yield None
        return
    # What is learnt once and for all may be learnt on the detector itself; other transfers from there are a white box.
    yield from (source for source in sources if source.name != OWN or adversary.name == "universal")


def _parts(adversary: AdaptiveAttack, budgets: Sequence[Budget]) -> list[tuple[Budget, ...]]:
    """Deal budgets out to runs: whoever seeks the least change is run once for all SNR budgets, the loosest first.

    Without gradients that is all: what it found is measured under the other budgets, too. With gradients it follows
    each kind of budget for itself.
    """
    if not adversary.seeks_least:
        return [(budget,) for budget in budgets]
    by_snr = sorted((each for each in budgets if isinstance(each, SnrBudget)), key=lambda each: each.snr_db)
    others = [each for each in budgets if not isinstance(each, SnrBudget)]
    if by_snr and adversary.asks != "gradients":
        return [(*by_snr, *others)]
    return [*([tuple(by_snr)] if by_snr else []), *((each,) for each in others)]
