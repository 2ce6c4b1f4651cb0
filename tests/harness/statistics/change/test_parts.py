"""What each recording adds to a change of the AUC."""

import numpy as np

from sealproof.harness.statistics.change.flips import flip_test
from sealproof.harness.statistics.change.parts import pair_parts
from sealproof.harness.tables.rates import pairs_won


def test_parts_have_the_sum_of_the_change_and_keep_the_level_where_counts_do_not() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(12), 6)
    p_values: dict[str, list[float]] = {"parts": [], "counts": []}
    for _ in range(300):
        scores = rng.normal(0, 1, (2, 2, 72)) + rng.normal(0, 0.5, (2, 2, 12))[..., codes] + [[[0.0], [1.0]]]
        (old, trials), (new, _) = (pairs_won(side, codes, 12) for side in scores)
        change = (old - new).astype(float)
        parts = pair_parts(change, trials.astype(float))
        assert np.isclose(parts.sum(), change.sum())
        for name, lost in (("parts", parts), ("counts", change)):
            p_values[name].append(float(flip_test(lost[:, None])[0]))
    share = {name: float(np.mean(np.array(values) <= 0.05)) for name, values in p_values.items()}
    # 5 % and three standard errors; taken as they are, the counts would err more than twice as often.
    assert share["parts"] <= 0.05 + 0.038
    assert share["counts"] > 0.1
