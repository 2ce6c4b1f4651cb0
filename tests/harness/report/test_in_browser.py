"""The page in a real browser: it loads, follows its controls, plays, fits a phone, and asks nothing of a network."""

import csv
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

pytest.importorskip("selenium", reason="the tests of the page need selenium (extra `test`)")

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    BROWSER is None or DRIVER is None, reason="no Chromium with chromedriver is installed: the page is not tried"
)

Browser = Any

SWITCHES = (
    "headless", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-component-update",
    "disable-sync", "disable-dev-shm-usage", "mute-audio",
)  # fmt: skip

LIMIT_S = 180
"""A busy machine is slow, not wrong: what the page does is waited for, and read once it is there."""

DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    driver.set_script_timeout(LIMIT_S)
    yield driver
    driver.quit()


@pytest.fixture
def opened(chromium: Browser, report: Path) -> Iterator[Callable[..., Browser]]:
    """opened(size, scheme): the page, loaded anew in a window of that size and a system of that colour scheme."""

    def open_page(
        size: tuple[int, int] = DESKTOP, scheme: str = "light", page: Path = report / "report.html"
    ) -> Browser:
        width, height = size
        chromium.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        chromium.get("about:blank")
        for kind in ("browser", "performance"):
            chromium.get_log(kind)  # what earlier pages wrote
        chromium.get(page.as_uri())
        until(chromium, "return document.querySelectorAll('#metric option').length > 0")
        return chromium

    yield open_page
    errors = chromium.get_log("browser")
    assert errors == []


def until(browser: Browser, script: str) -> Any:
    return WebDriverWait(browser, LIMIT_S, poll_frequency=0.05).until(lambda driver: driver.execute_script(script))


def eventually(holds: Callable[[], None]) -> None:
    """Wait until a function's assertions hold: a page answers a key, a click or a choice when it comes to it."""
    until_s = time.monotonic() + LIMIT_S
    while True:
        try:
            return holds()
        except (AssertionError, StaleElementReferenceException):
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)


def scroll_to(browser: Browser, section: str) -> None:
    """Bring a section into view, where it is drawn."""
    browser.execute_script(f"document.getElementById('{section}').scrollIntoView()")


def drawn(browser: Browser, section: str, css: str) -> list[Any]:
    scroll_to(browser, section)
    until(browser, f"return document.querySelectorAll('#{section} {css}').length > 0")
    return list(browser.find_elements(By.CSS_SELECTOR, f"#{section} {css}"))


def heat_numbers(browser: Browser) -> dict[str, str]:
    """The numbers of the heat map by cell."""
    script = """return Object.fromEntries([...document.querySelectorAll('#heat-body td[data-cell]')]
        .map(td => [td.getAttribute('aria-label').split(':')[0], td.querySelector('b').textContent]))"""
    found = browser.execute_script(script)
    assert isinstance(found, dict)
    return found


def summary_of(finished_run: Any, detector: str, metric: str, rule: str) -> dict[tuple[str, str], float]:
    with (finished_run.folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["attack"], row["params"]): float(row["value"])
            for row in csv.DictReader(file)
            if (row["detector"], row["metric"], row["threshold_rule"]) == (detector, metric, rule) and row["value"]
        }


def test_every_figure_is_drawn_without_a_complaint(opened: Callable[..., Browser]) -> None:
    browser = opened()
    assert len(drawn(browser, "heat-map", "td[data-cell]")) >= 18
    assert len(drawn(browser, "curves", "svg .line")) >= 6
    assert len(drawn(browser, "break-points", "tbody tr")) >= 2
    assert len(drawn(browser, "scores", "svg .marked")) == 4
    assert len(drawn(browser, "quality", "svg path.mark")) > 10
    assert len(drawn(browser, "cells", "tbody tr")) == 18
    assert len(browser.find_elements(By.CSS_SELECTOR, ".share-bar")) == 2


def test_nothing_is_asked_of_a_network(opened: Callable[..., Browser], report: Path) -> None:
    browser = opened()
    for section in ("heat-map", "curves", "scores", "quality", "listen", "cells"):
        scroll_to(browser, section)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
    own = (report / "report.html").as_uri()
    assert own in asked
    assert [address for address in asked if address != own and not address.startswith("data:")] == []
    resources = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [address for address in resources if not address.startswith("data:")] == []


def test_hostile_text_is_shown_and_does_not_run(opened: Callable[..., Browser]) -> None:
    browser = opened()
    drawn(browser, "cells", "tbody tr")
    assert browser.execute_script("return window.hacked") is None
    for section in ("cells", "failures"):
        shown = browser.execute_script(f"return document.getElementById('{section}').textContent")
        assert "</script><script>window.hacked = true</script>" in shown


def test_heat_map_follows_detector_metric_and_rule(opened: Callable[..., Browser], finished_run: Any) -> None:
    browser = opened()
    drawn(browser, "heat-map", "td[data-cell]")
    shown = heat_numbers(browser)
    assert shown["refusing"] == "failed"
    for value, rule in (("accuracy", "fixed"), ("tpr", "best")):
        Select(browser.find_element(By.ID, "metric")).select_by_value(value)
        Select(browser.find_element(By.ID, "rule")).select_by_value(rule)
        for index, detector in enumerate(("spread_spectrum", "loudness")):
            browser.execute_script(f"document.querySelector('#subject input[value=\"{index}\"]').click()")
            expected = summary_of(finished_run, detector, value, rule)
            noise, high = expected["white_noise", "snr_db=0"], expected["highpass", "cutoff_hz=2000"]

            @eventually
            def _(noise: float = noise, high: float = high) -> None:
                shown = heat_numbers(browser)
                assert float(shown["white_noise 0 dB"]) == pytest.approx(noise, abs=0.0051)
                assert float(shown["highpass 2 kHz"]) == pytest.approx(high, abs=0.0051)

    Select(browser.find_element(By.ID, "metric")).select_by_value("agreement")
    expected = summary_of(finished_run, "loudness", "agreement", "fixed")

    @eventually
    def _() -> None:
        radios = browser.find_elements(By.CSS_SELECTOR, "#subject input")
        assert [radio.is_enabled() for radio in radios] == [False, True]
        assert float(heat_numbers(browser)["identity"]) == pytest.approx(expected["identity", "-"], abs=0.0051)

    Select(browser.find_element(By.ID, "metric")).select_by_value("auc")
    until(browser, "return document.getElementById('rule').disabled")


def test_filters_hold_in_every_figure(opened: Callable[..., Browser]) -> None:
    browser = opened()
    drawn(browser, "heat-map", "td[data-cell]")
    query = browser.find_element(By.ID, "query")
    query.send_keys("WHITE 10")

    @eventually
    def _() -> None:
        assert set(heat_numbers(browser)) >= {"white_noise 10 dB"}
        assert len(drawn(browser, "cells", "tbody tr")) == 1
        assert [panel.text.split("\n")[0] for panel in drawn(browser, "curves", ".panel h3")] == ["white_noise"]

    query.clear()
    query.send_keys("no such attack")
    until(browser, "return document.querySelector('#heat-body .empty')")
    query.clear()
    query.send_keys(Keys.SPACE)
    Select(browser.find_element(By.ID, "family")).select_by_value("filtering")

    @eventually
    def _() -> None:
        rows = drawn(browser, "cells", "tbody tr")
        assert len(rows) == 3
        assert all("highpass" in row.text for row in rows)


def test_columns_sort_both_ways_and_say_so(opened: Callable[..., Browser], finished_run: Any) -> None:
    browser = opened()
    drawn(browser, "cells", "tbody tr")
    names = [head.text for head in browser.find_elements(By.CSS_SELECTOR, "#cells thead button")]
    column = names.index("spread_spectrum")
    script = (
        f"return [...document.querySelectorAll('#cells tbody tr')].map(row => row.cells[{column}]?.textContent ?? '')"
    )
    values: dict[str, list[float]] = {}
    for direction in ("ascending", "descending"):
        browser.execute_script(f"document.querySelectorAll('#cells thead button')[{column}].click()")

        @eventually
        def _(direction: str = direction) -> None:
            head = browser.find_elements(By.CSS_SELECTOR, "#cells thead th")[column]
            assert head.get_attribute("aria-sort") == direction
            assert browser.execute_script("return document.activeElement.textContent") == "spread_spectrum"

        texts = browser.execute_script(script)
        values[direction] = [float(text.split("[")[0]) for text in texts if "[" in text]
        assert texts[-1] == ""  # the failed cell stays at the end
    assert values["ascending"] == sorted(values["ascending"])
    assert values["descending"] == sorted(values["descending"], reverse=True)
    expected = summary_of(finished_run, "spread_spectrum", "accuracy", "fixed")
    assert values["ascending"] == pytest.approx(sorted(expected.values()), abs=6e-4)


def test_a_chosen_cell_is_shown_everywhere(opened: Callable[..., Browser]) -> None:
    browser = opened()
    cells = drawn(browser, "heat-map", "td[data-cell]")
    first = next(cell for cell in cells if cell.get_attribute("aria-label").startswith("offset 100 samples"))
    first.click()
    drawn(browser, "scores", "svg .marked")

    @eventually
    def _() -> None:
        assert browser.find_element(By.ID, "heat-chosen").text == "Scores of offset 100 samples"
        assert Select(browser.find_element(By.ID, "cell")).first_selected_option.text == "offset 100 samples"
        assert "offset 100 samples" in browser.execute_script(
            "return document.querySelector('#scores-body svg').textContent"
        )


def test_the_heat_map_works_from_the_keyboard(opened: Callable[..., Browser]) -> None:
    browser = opened()
    drawn(browser, "heat-map", "td[data-cell]")
    # The window may not have the focus when other windows are open, and then no key arrives.
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    start = browser.execute_script("""const cell = document.querySelector('#heat-body td[tabindex="0"]');
        cell.focus(); return cell.getAttribute('aria-label')""")
    until(browser, "return document.activeElement.closest('#heat-body') !== null")
    webdriver.ActionChains(browser).send_keys(Keys.ARROW_DOWN).perform()
    active = "const label = document.activeElement.getAttribute('aria-label');"
    moved = f"{active} return label !== {json.dumps(start)} && label"
    below = str(until(browser, moved)).split(":")[0]

    @eventually
    def _() -> None:
        assert not browser.find_element(By.ID, "tooltip").get_attribute("hidden")
        assert below in browser.find_element(By.ID, "tooltip").text

    webdriver.ActionChains(browser).send_keys(Keys.ENTER).perform()

    @eventually
    def _() -> None:
        assert browser.find_element(By.ID, "heat-chosen").text == f"Scores of {below}"
        assert len(browser.find_elements(By.CSS_SELECTOR, "#heat-body td[tabindex='0']")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch(opened: Callable[..., Browser], scheme: str) -> None:
    browser = opened(scheme=scheme)

    def is_dark() -> bool:
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.strip("rgba()").split(",")[:3]) < 384

    assert is_dark() == (scheme == "dark")
    for value, expected in (("dark", True), ("light", False), ("auto", scheme == "dark")):
        browser.execute_script(f"document.querySelector('#theme input[value={value}]').click()")

        @eventually
        def _(expected: bool = expected) -> None:
            assert is_dark() == expected

    for value in ("dark", "auto"):
        browser.execute_script(f"document.querySelector('#theme input[value={value}]').click()")
        browser.refresh()
        until(browser, "return document.querySelectorAll('#metric option').length > 0")

        @eventually
        def _(value: str = value) -> None:
            assert is_dark() == (value == "dark" or scheme == "dark")


def test_every_player_decodes_a_second_of_audio(opened: Callable[..., Browser]) -> None:
    browser = opened()
    script = """
        const done = arguments[0];
        Promise.all([...document.querySelectorAll('audio')].map(audio => new Promise(resolve => {
            audio.addEventListener('canplaythrough', () => resolve([audio.readyState, audio.duration]), {once: true});
            audio.addEventListener('error', () => resolve([audio.error.message, 0]), {once: true});
            audio.preload = 'auto';
            audio.load();
        }))).then(done)"""
    players = browser.execute_async_script(script)
    assert len(players) == 4 * 3
    assert all(ready == 4 for ready, _ in players), players
    assert [duration for _, duration in players] == pytest.approx([1.0] * 12, abs=0.02)
    pictures = browser.execute_script(
        "return [...document.querySelectorAll('.spectrogram img')].map(i => i.naturalWidth)"
    )
    assert len(pictures) == 12
    assert min(pictures) > 100


def test_a_click_on_a_spectrogram_plays_from_there(opened: Callable[..., Browser]) -> None:
    browser = opened()
    script = """
        const done = arguments[0];
        const audio = document.querySelector('audio');
        audio.addEventListener('ended', () => done([played, audio.currentTime]), {once: true});
        let played = null;
        // Read where it is told to play, for by the time of an event a busy machine may be past that.
        audio.play = () => { played = audio.currentTime; return HTMLMediaElement.prototype.play.call(audio); };
        const picture = document.querySelector('.spectrogram');
        picture.scrollIntoView();
        const box = picture.getBoundingClientRect();
        picture.dispatchEvent(new MouseEvent('click', {clientX: box.left + 0.5 * box.width, clientY: box.top + 5}));"""
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    browser.execute_script("document.body.click()")
    browser.find_element(By.TAG_NAME, "h1").click()  # browsers play only after the reader has done something
    started, ended = browser.execute_async_script(script)
    assert started == pytest.approx(0.5, abs=0.01)
    assert ended == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("metric", ["accuracy", "snr_db"])
def test_it_fits_a_phone(opened: Callable[..., Browser], metric: str) -> None:
    browser = opened(PHONE)
    Select(browser.find_element(By.ID, "metric")).select_by_value(metric)
    for section in ("heat-map", "curves", "break-points", "scores", "quality", "listen", "cells", "failures", "facts"):
        scroll_to(browser, section)
        until(browser, "return new Promise(resolve => requestAnimationFrame(() => resolve(true)))")
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    script = """return [...document.querySelectorAll('main *')]
        .filter(e => !e.closest('.scroll') && !e.closest('.hidden') && e.getBoundingClientRect().right > innerWidth + 1)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert browser.execute_script(script) == []


FIGURES = ("heat-map", "curves", "break-points", "scores", "quality")


@pytest.mark.parametrize("section", FIGURES)
def test_what_a_figure_offers_is_in_its_file(opened: Callable[..., Browser], report: Path, section: str) -> None:
    browser = opened()
    scroll_to(browser, section)
    script = """const link = document.querySelector(`#${arguments[0]} .csv`);
        link.addEventListener('click', event => event.preventDefault(), {once: true});
        link.click(); return [link.download, link.href]"""
    name, address = browser.execute_script(script, section)
    kind, _, text = unquote(address).partition(",")
    assert kind == "data:text/csv;charset=utf-8"
    offered = list(csv.DictReader(io.StringIO(text)))
    with (report / "figures" / name).open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert len(offered) > 2
    assert set(offered[0]) <= set(written[0])
    known = [{column: value(row[column]) for column in offered[0]} for row in written]
    for row in offered:
        mine = {column: value(text) for column, text in row.items()}
        assert any(mine.keys() == other.keys() and all(same(mine[c], other[c]) for c in mine) for other in known), mine


def value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def same(mine: float | str, theirs: float | str) -> bool:
    if isinstance(mine, float) and isinstance(theirs, float):
        return mine == pytest.approx(theirs, rel=1e-3, abs=1e-6)
    return mine == theirs
