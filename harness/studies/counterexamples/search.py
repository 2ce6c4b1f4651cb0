"""The search: hypothesis makes chains, climbs towards what does most damage, and shrinks what breaks the detector."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sealproof.attacks import get_attack
from sealproof.attacks.contract.base import Attack, AttackError
from sealproof.attacks.selection import load_attacks
from sealproof.detectors.base import Detector
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.assembly import open_bench
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate
from sealproof.harness.studies.counterexamples.bench import Trial
from sealproof.harness.studies.counterexamples.request import AGREEMENT, SearchRequest
from sealproof.harness.tables.resamples import resamples_of

_LONGEST = 4
_N_TEST = 64


@dataclass(frozen=True)
class Counterexample:
    """A chain that breaks what none of its links does.

    Attributes:
        chain: Its id.
        links: The links' ids and the rate that each leaves on test recordings.
        validation_rate: The rate that it left on validation recordings, where it was looked for.
        verified: The rate on test recordings.
        is_confirmed: On test recordings, too, each link leaves what it must, and the chain no more than it may.
        lsd_db: The log-spectral distances of its links added up.
        n_runs: After how many tries it was found, those of the links alone among them.
    """

    chain: str
    links: dict[str, float]
    validation_rate: float
    verified: Estimate
    is_confirmed: bool
    lsd_db: float
    n_runs: int


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        scheme: Whose detector.
        detectors: Names of those that were asked.
        counterexamples: In the order in which they were found.
        n_harmless: Attacks that do no harm alone.
        n_runs: Chains and attacks that were tried on validation clips.
    """

    scheme: str
    detectors: tuple[str, ...]
    counterexamples: tuple[Counterexample, ...]
    n_harmless: int
    n_runs: int


class _BrokenError(Exception):
    """A chain broke the detector."""


class _SpentError(Exception):
    """All runs are used up."""


def search(dataset: Dataset, request: SearchRequest) -> Found:
    """Look for counterexamples on validation recordings, and verify them on test recordings.

    Raises:
        HarnessError: There are no validation or test pairs, no mimic to agree with, or no harmless attack.
        AttackError: The preset is unknown.
    """
    bench = open_bench(dataset, RunRequest(seed=request.seed))
    subjects = bench.subjects[: 2 if request.of == AGREEMENT else 1]
    if request.of == AGREEMENT and len(subjects) < 2:
        raise HarnessError(f"A search for disagreement needs a mimic. None was trained on {dataset.root}.")
    detectors = [subject.load() for subject in subjects]
    validation = _trial(dataset, "validation", dataset.split("validation"), request.n_clips, detectors, request)
    harmless = _harmless(validation, request)
    if len(harmless) < 2:
        raise HarnessError(
            f"A chain needs two attacks that leave {request.alone:g} alone. Of {request.attacks} there are "
            f"{len(harmless)}: lower --alone or take another --attacks."
        )
    chains = list(_chains(validation, harmless, request))
    examples = _verified(bench, detectors, validation, chains, request)
    names = tuple(subject.name for subject in subjects)
    return Found(dataset.scheme, names, tuple(examples), len(harmless), validation.n_runs)


def _trial(
    dataset: Dataset, split: str, pairs: Sequence[Pair], n: int, detectors: Sequence[Detector], request: SearchRequest
) -> Trial:
    if not pairs:
        raise HarnessError(f"A search needs pairs of the {split} split. {dataset.root} has none.")
    order = interleave_groups([pair.group for pair in pairs], derive_seed(request.seed, "counterexamples", split))
    chosen = [pairs[index] for index in order[:n]]
    return Trial(dataset, split, chosen, detectors, request.of, request.seed)


def _harmless(trial: Trial, request: SearchRequest) -> list[Attack]:
    """Return the attacks that leave the detector alone, those that are heard least first: so chains are shrunk."""
    kept: list[tuple[float, Attack]] = []
    for attack in load_attacks(request.attacks):
        # A sound that is moved in time has no distance, and one that is changed besides is not known to be harmless.
        is_measurable = attack.keeps_alignment or getattr(attack, "family", "") == "timing"
        if attack.is_control or attack.needs_knowledge or not is_measurable or "+" in attack.id:
            continue
        try:
            if trial.rate(attack) >= request.alone and trial.lsd_db(attack) <= request.most_lsd_db:
                kept.append((trial.lsd_db(attack), attack))
        except AttackError:
            continue  # it cannot be done to these clips at all
    return [attack for _, attack in sorted(kept, key=lambda each: (each[0], each[1].id))]


def _chains(trial: Trial, harmless: Sequence[Attack], request: SearchRequest) -> Iterator[tuple[str, int]]:
    """Yield ids of chains that break the detector, each no variant of another, and after how many runs."""
    known_chains: list[frozenset[str]] = []
    while len(known_chains) < request.n_wanted and trial.n_runs < request.n_runs:
        links = _shortest(trial, harmless, known_chains, request)
        if links is None:
            return
        known_chains.append(frozenset(attack.name for attack in links))
        yield "+".join(attack.id for attack in links), trial.n_runs


def _shortest(
    trial: Trial, harmless: Sequence[Attack], known_chains: Sequence[frozenset[str]], request: SearchRequest
) -> list[Attack] | None:
    """Return the smallest chain that hypothesis finds and shrinks, or None."""
    from hypothesis import HealthCheck, Phase, assume, given, seed, settings, target
    from hypothesis import strategies as st

    smallest: list[list[Attack]] = []
    links_of = st.lists(st.sampled_from(harmless), min_size=2, max_size=_LONGEST, unique_by=lambda each: each.name)

    @seed(derive_seed(request.seed, "hypothesis", len(known_chains)))
    @settings(
        max_examples=max(request.n_runs, 1),
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(links_of)
    def leaves_the_detector_alone(links: list[Attack]) -> None:
        assume(not any(names <= {attack.name for attack in links} for names in known_chains))
        assume(sum(trial.lsd_db(attack) for attack in links) <= request.most_lsd_db)
        chain = get_attack("+".join(attack.id for attack in links))
        if trial.n_runs >= request.n_runs and not trial.has_tried(chain):
            # While it shrinks, what is not known counts as not broken.
            assume(not smallest)
            raise _SpentError
        try:
            rate = trial.rate(chain)
        except AttackError:
            assume(False)  # the second link refuses what the first one makes
        target(1 - rate)
        if rate <= request.together:
            if not smallest or len(links) <= len(smallest[-1]):
                smallest.append(links)
            raise _BrokenError

    with suppress(_BrokenError, _SpentError):  # what was found until then stands
        leaves_the_detector_alone()
    return smallest[-1] if smallest else None


def _verified(
    bench: Bench,
    detectors: Sequence[Detector],
    validation: Trial,
    chains: Sequence[tuple[str, int]],
    request: SearchRequest,
) -> Iterator[Counterexample]:
    if not chains:
        return
    trial = _trial(bench.dataset, "test", bench.pairs, _N_TEST, detectors, request)
    groups = resamples_of([pair.group for pair in trial.pairs], int(bench.dataset.facts["seed"]))
    for chain, n_runs in chains:
        links = [get_attack(link) for link in chain.split("+")]
        alone = {link.id: trial.rate(link) for link in links}
        verified = estimate_rate(trial.hits(get_attack(chain)), groups)
        yield Counterexample(
            chain,
            alone,
            validation.rate(get_attack(chain)),
            verified,
            min(alone.values()) >= request.alone and verified.value <= request.together,
            sum(validation.lsd_db(link) for link in links),
            n_runs,
        )
