/** Robustness against damage: one point for each cell and detector. */

const QUALITY = D.metrics.filter((metric) => metric.group === AUDIO && series("-", metric.id, "") !== null);

function qualityDetectors() {
  return curveDetectors().filter((detector) => detector !== "-");
}

function drawQuality() {
  const quality = METRIC.get(byId("quality-metric").value);
  const damage = series("-", quality.id, "")[0];
  const cells = [...D.cells.title.keys()].filter(passes);
  const there = cells.filter((cell) => damage[cell] !== null);
  const without = cells.filter((cell) => damage[cell] === null && !D.cells.error[cell]).length;
  const detectors = qualityDetectors();
  byId("quality-lead").textContent = !detectors.length
    ? "Choose a metric of a detector above: this one is about the audio itself."
    : `${whatIsShown()}, against what the attack did to the audio: ${quality.label}${quality.about ? ` (${quality.about})` : ""}; more damage to the right. One point for each cell and detector.`
      + (without ? ` ${without} cells are not here: their attack leaves nothing to compare with (it moves audio in time, or changes nothing).` : "");
  if (!there.length || !detectors.length) {
    byId("quality-body").replaceChildren();
    return;
  }
  const isNarrow = byId("quality-body").clientWidth < 600;
  const [width, height] = isNarrow ? [360, 330] : [1080, 430];
  const [left, right, top, bottom] = [40, width - 12, 10, height - 44];
  const values = there.map((cell) => damage[cell]).sort((a, b) => a - b);
  const [low, high] = values[0] === values.at(-1) ? [values[0] - 1, values[0] + 1] : [values[0], values.at(-1)];
  const x = (value) => {
    const share = (value - low) / (high - low);
    return left + 8 + (quality.pale === "high" ? 1 - share : share) * (right - left - 16);
  };
  const range = axisRange(theMetric(), detectors.map(chosenSeries), there);
  const y = upright(range, top, bottom);
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${whatIsShown()} against ${quality.label}, one point for each cell and detector` }, gridLines(range, y, left, right));
  for (const value of ticks(low, high, isNarrow ? 4 : 8)) chart.append(s("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, String(value)));
  chart.append(s("text", { x: (left + right) / 2, y: bottom + 36, "text-anchor": "middle" }, quality.label));
  const points = [];
  for (const detector of detectors.toReversed()) {
    const columns = chosenSeries(detector);
    const own = s("g", { opacity: 0.8 });
    for (const cell of there) {
      if (columns[0][cell] === null) continue;
      const point = mark(detector, x(damage[cell]), y(columns[0][cell]), cell === state.cell ? 6 : 3.4);
      if (cell === state.cell) point.classList.add("hover");
      own.append(point);
      points.push([x(damage[cell]), y(columns[0][cell]), cell]);
    }
    chart.append(own);
  }
  followPointer(chart, width, (px, py) => {
    let best = null;
    let least = 20 ** 2;
    for (const [cx, cy, cell] of points) {
      const distance = (cx - px) ** 2 + (cy - py) ** 2;
      if (distance < least) [least, best] = [distance, cell];
    }
    return best;
  });
  byId("quality-body").replaceChildren(chart);
}

function setUpQuality() {
  if (!QUALITY.length) {
    byId("quality").remove();
    return;
  }
  options(byId("quality-metric"), QUALITY.map((metric) => [metric.id, metric.label]), QUALITY[0].id);
  byId("quality-metric").addEventListener("change", drawQuality);
  figure("quality", ["metric", "rule", "words", "family", "shown", "cell"], drawQuality);
  offerCsv(document.querySelector("#quality .csv"), () => [
    [...NUMBER_HEADER, ...QUALITY.map((metric) => metric.id)],
    ...[...D.cells.title.keys()].filter(passes).flatMap((cell) => qualityDetectors()
      .filter((detector) => chosenSeries(detector)[0][cell] !== null)
      .map((detector) => [...numberRow(cell, detector), ...QUALITY.map((metric) => series("-", metric.id, "")[0][cell])]))
      .filter((row) => row.slice(NUMBER_HEADER.length).some((value) => value !== null)),
  ]);
}
