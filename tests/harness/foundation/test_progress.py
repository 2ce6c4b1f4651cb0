"""Progress bars leave nothing behind."""

import threading

from sealproof.harness.foundation.progress import progress, trying


def test_a_bar_yields_what_it_was_given_and_starts_no_thread() -> None:
    before = set(threading.enumerate())
    assert list(progress(range(3), "counting")) == [0, 1, 2]
    assert list(trying(["a", "b"], 2, str.upper)) == ["a", "b"]
    # tqdm's monitor warns when bars end while it looks at them: where warnings are errors, a test fails now and then.
    assert set(threading.enumerate()) == before
