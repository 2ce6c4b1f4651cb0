"""Progress bars: on standard error, and only for what takes long enough to be waited for."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def trying(items: Iterable[T], total: int, name: Callable[[T], str]) -> Iterator[T]:
    """Yield the items and show at once which of them is being worked on, for single ones may take many seconds.

    Args:
        items: What is worked through.
        total: How many there are.
        name: What an item is called.
    """
    from tqdm import tqdm

    is_watched = sys.stderr.isatty()
    with tqdm(total=total, disable=not is_watched, leave=False, dynamic_ncols=True, file=sys.stderr) as bar:
        for item in items:
            bar.set_description_str(f"trying {name(item)}")
            yield item
            bar.update()


def progress(items: Iterable[T], what: str, *, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how far it got once it has taken two seconds.

    Args:
        items: What is worked through.
        what: Said in front of the bar.
        total: Number of items, where `len` cannot tell.
    """
    from tqdm import tqdm

    # A log that is no terminal gets a line every ten seconds instead of ten a second.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    yield from tqdm(items, desc=what, total=total, delay=2, mininterval=interval, dynamic_ncols=True, file=sys.stderr)
