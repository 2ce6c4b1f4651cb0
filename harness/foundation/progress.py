"""Progress bars: on standard error, and only for what takes long enough to be waited for."""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def trying(items: Iterable[T], total: int, name: Callable[[T], str]) -> Iterator[T]:
    """Yield the items and show at once which of them is being worked on, for single ones may take many seconds.

    Args:
        items: What is worked through.
        total: How many there are.
        name: What an item is called.
    """
    is_watched = sys.stderr.isatty()
    with _bar_type()(total=total, disable=not is_watched, leave=False, dynamic_ncols=True, file=sys.stderr) as bar:
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
    # A log that is no terminal gets a line every ten seconds instead of ten a second.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    # miniters: the clock is looked at on every item, for no monitor corrects a guess of how often to look.
    yield from _bar_type()(
        items,
        desc=what,
        total=total,
        delay=2,
        mininterval=interval,
        miniters=1,
        dynamic_ncols=True,
        file=sys.stderr,
    )


@functools.cache
def _bar_type() -> Any:
    """Return tqdm without its monitoring thread, which warns, by a race, of bars that end while it looks at them."""
    from tqdm import tqdm

    return type("Bar", (tqdm,), {"monitor_interval": 0})
