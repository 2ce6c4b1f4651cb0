/** Sweeps: a panel each, every detector a line with the band of its intervals. */

const FIRST_PANELS = 12;
let panelsShown = FIRST_PANELS;

function curveSweeps() {
  const columns = curveDetectors().map(chosenSeries);
  const subject = chosenSeries(heatSubject());
  const fall = (sweep) => {
    const harms = sweep.cells.filter((cell) => subject[0][cell] !== null).map((cell) => harm(theMetric(), subject[0][cell]));
    return harms.length ? Math.max(...harms) - Math.min(...harms) : -1;
  };
  return D.sweeps
    .filter((sweep) => sweep.cells.some(passes) && sweep.cells.some((cell) => columns.some((column) => column[0][cell] !== null)))
    .map((sweep) => [fall(sweep), sweep])
    .sort((a, b) => b[0] - a[0])
    .map(([, sweep]) => sweep);
}

function curveDetectors() {
  return subjectsOf(state.metric, ruleInUse()).filter((detector) => detector === "-" || state.shown.has(detector));
}

function drawCurves() {
  const sweeps = curveSweeps();
  byId("curves-lead").textContent = sweeps.length
    ? `${whatIsShown()}, with 95 % intervals, stronger to the right unless it says ascending. The sweeps in which ${detectorName(heatSubject())} changes most come first.`
    : "No sweep of numbers passes the filter.";
  const range = axisRange(theMetric(), curveDetectors().map(chosenSeries), sweeps.flatMap((sweep) => sweep.cells));
  const panels = sweeps.slice(0, panelsShown).map((sweep) => curvePanel(sweep, range));
  byId("curves-body").replaceChildren(...panels);
  byId("curves-body").parentElement.querySelector(".more")?.remove();
  if (sweeps.length > panels.length) {
    byId("curves-body").after(h("button", { class: "more", type: "button", onclick: () => {
      panelsShown += 36;
      drawCurves();
    } }, `Show more of ${sweeps.length} sweeps`));
  }
}

function curvePanel(sweep, range) {
  const [width, height, left, right, top, bottom] = [280, 172, 34, 274, 8, 146];
  const falls = sweep.values.length > 1 && sweep.values[0] > sweep.values.at(-1);
  const x = scale(sweep.values, left + 8, right - 8, falls);
  const y = upright(range, top, bottom);
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${sweep.title}, ${sweep.subtitle}: ${whatIsShown()} from ${sweep.labels[0]} to ${sweep.labels.at(-1)}` },
    gridLines(range, y, left, right));
  let free = -Infinity;
  for (const [at, label] of sweep.labels.entries()) {
    const place = x(sweep.values[at]);
    const half = label.length * 2.9;
    if (place - half < free + 4) continue;
    free = place + half;
    const anchor = place + half > width ? "end" : "middle";
    chart.append(s("text", { x: anchor === "end" ? width : place, y: bottom + 15, "text-anchor": anchor }, label));
  }
  const points = [];
  for (const detector of curveDetectors()) {
    const columns = chosenSeries(detector);
    const there = [...sweep.cells.keys()].filter((at) => columns[0][sweep.cells[at]] !== null);
    const place = (at, column) => `${x(sweep.values[at]).toFixed(1)},${y(columns[column][sweep.cells[at]]).toFixed(1)}`;
    const bounded = there.filter((at) => columns[1][sweep.cells[at]] !== null && columns[2][sweep.cells[at]] !== null);
    const own = s("g", { class: detector === "-" ? "" : colour(detector) });
    if (bounded.length > 1) {
      const edge = [...bounded.map((at) => place(at, 2)), ...bounded.toReversed().map((at) => place(at, 1))];
      own.append(s("path", { class: "band", d: `M${edge.join("L")}z` }));
    }
    const isMimic = detector !== "-" && D.detectors[detector].role === "mimic";
    if (there.length > 1) own.append(s("path", { class: `line${isMimic ? " mimic" : ""}`, d: `M${there.map((at) => place(at, 0)).join("L")}` }));
    for (const at of there) {
      own.append(mark(detector === "-" ? 0 : detector, x(sweep.values[at]), y(columns[0][sweep.cells[at]]), 3));
      points.push([x(sweep.values[at]), sweep.cells[at]]);
    }
    chart.append(own);
  }
  followPointer(chart, width, (px) => points.reduce((best, point) => (best && Math.abs(best[0] - px) <= Math.abs(point[0] - px) ? best : point), null)?.[1] ?? null);
  return h("div", { class: "panel" }, h("h3", {}, sweep.title, h("small", {}, subtitle(sweep))), chart);
}

/** Tell of the nearest cell under the pointer, and choose it with a click; `find` gets chart coordinates. */
function followPointer(chart, width, find) {
  const near = (event) => {
    const box = chart.getBoundingClientRect();
    const zoom = width / box.width;
    return find((event.clientX - box.left) * zoom, (event.clientY - box.top) * zoom);
  };
  chart.addEventListener("pointermove", (event) => {
    const cell = near(event);
    if (cell === null) hideTip();
    else showTip(cellLines(cell), event.clientX, event.clientY);
  });
  chart.addEventListener("pointerleave", hideTip);
  chart.addEventListener("click", (event) => {
    const cell = near(event);
    if (cell !== null) choose({ cell });
  });
}

function setUpCurves() {
  offerCsv(document.querySelector("#curves .csv"), () => [
    ["sweep", "parameter", "fixed", "strength", "attack", ...NUMBER_HEADER.slice(2)],
    ...curveSweeps().flatMap((sweep) => sweep.cells.flatMap((cell, at) => curveDetectors()
      .filter((detector) => chosenSeries(detector)[0][cell] !== null)
      .map((detector) => [sweep.title, sweep.parameter, sweep.fixed, sweep.values[at], D.cells.attack[cell], ...numberRow(cell, detector).slice(2)]))),
  ]);
}
