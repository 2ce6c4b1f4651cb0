/** Break points: where detection falls through one half, ranked. */

const STATUS = { crosses: "", never: "never", always: "from the start", not_monotone: "not monotone" };
const FIRST_BREAKS = 20;
let breaksShown = FIRST_BREAKS;
const breakSort = { column: 1, isDown: false };

/** Where a strength lies between the weakest (0) and the strongest (1) that was tried. */
function breakPlace(sweep, value) {
  return scale([sweep.weakest, sweep.strongest], 0, 1, sweep.weakest > sweep.strongest)(value);
}

/** From what breaks at once to what never does; sweeps that are not monotone last. */
function breakRank(sweep, detector) {
  const point = sweep.points[detector];
  if (!point) return 4;
  if (point.status === "crosses") return Math.min(1, Math.max(0, breakPlace(sweep, point.value)));
  return { always: -1, never: 2, not_monotone: 3 }[point.status] ?? 4;
}

const breakSweeps = () => D.breaks.filter((sweep) => {
  const text = `${sweep.title} ${sweep.subtitle}`.toLowerCase();
  return state.words.every((word) => text.includes(word));
});

function drawBreakPoints() {
  const sweeps = breakSweeps().sort((a, b) => {
    const order = breakSort.column === 0
      ? a.title.localeCompare(b.title)
      : breakRank(a, breakSort.column - 1) - breakRank(b, breakSort.column - 1);
    return breakSort.isDown ? -order : order;
  });
  const head = ["Attack", ...D.detectors.map((detector) => detector.name)].map((name, column) => sortHead(name, column, breakSort, drawBreakPoints));
  byId("break-body").replaceChildren(h("table", { class: "data" },
    h("thead", {}, h("tr", {}, head, h("th", { class: "text", scope: "col" }, "weakest to strongest tried"))),
    h("tbody", {}, sweeps.slice(0, breaksShown).map((sweep) => h("tr", {},
      h("th", { scope: "row" }, sweep.title, h("small", {}, sweep.subtitle)),
      sweep.points.map((point) => h("td", point?.status === "crosses" ? {} : { class: "soft" },
        point ? STATUS[point.status] || point.text : "\u2013",
        isBounded(point) ? h("small", {}, `[${roughly(point.low)}, ${roughly(point.high)}]`) : null)),
      h("td", { class: "text" }, breakChart(sweep), h("small", {}, sweep.range)))))));
  if (sweeps.length > breaksShown) {
    byId("break-body").append(h("button", { class: "more", type: "button", onclick: () => {
      breaksShown = Infinity;
      drawBreakPoints();
    } }, `Show all ${sweeps.length} sweeps`));
  }
}

/** Whether an interval says anything: one end at least lies among the strengths that were tried. */
const isBounded = (point) => Boolean(point) && point.low !== null && point.high !== null && (Number.isFinite(point.low) || Number.isFinite(point.high));

/** Three digits; an end beyond the strengths that were tried is left open. */
const roughly = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))).replace("-", "\u2212") : "\u2026");

function breakChart(sweep) {
  const height = 6 + 10 * sweep.points.length;
  const x = (value) => 8 + 194 * Math.min(1, Math.max(0, breakPlace(sweep, value)));
  const chart = s("svg", { class: "chart break-line", viewBox: `0 0 210 ${height}`, "aria-hidden": true });
  for (const [detector, point] of sweep.points.entries()) {
    const y = 8 + 10 * detector;
    chart.append(s("line", { class: "grid", x1: 8, x2: 202, y1: y, y2: y }));
    const own = s("g", { class: colour(detector) });
    if (isBounded(point)) own.append(s("line", { class: "whisker", x1: x(point.low), x2: x(point.high), y1: y, y2: y }));
    if (point && point.value !== null) own.append(mark(detector, x(point.value), y, 3.6));
    chart.append(own);
  }
  return chart;
}

/** A column's head that sorts by it; pressed again, the other way round. */
function sortHead(name, column, sort, redraw, isText = column === 0) {
  const direction = sort.column === column ? (sort.isDown ? "descending" : "ascending") : "none";
  return h("th", { scope: "col", class: isText ? "text" : null, "aria-sort": direction }, h("button", { type: "button", onclick: (event) => {
    const table = event.currentTarget.closest(".scroll");
    sort.isDown = sort.column === column ? !sort.isDown : false;
    sort.column = column;
    redraw();
    table.querySelectorAll("thead button")[column]?.focus(); // the head was drawn anew
  } }, name));
}

function setUpBreakPoints() {
  if (!D.breaks.length) {
    byId("break-points").remove();
    return;
  }
  figure("break-points", ["words"], drawBreakPoints);
  offerCsv(document.querySelector("#break-points .csv"), () => [
    ["attack", "params", "parameter", "detector", "status", "value", "ci_low", "ci_high", "weakest", "strongest"],
    ...breakSweeps().flatMap((sweep) => sweep.points.flatMap((point, detector) => point
      ? [[sweep.attack, sweep.params, sweep.parameter, detectorName(detector), point.status, point.value, point.low, point.high, sweep.weakest, sweep.strongest]]
      : [])),
  ]);
}
