/** Attack by strength: one row for each sweep, the number in its colour. */

const FIRST_ROWS = 30;
let heatRowsShown = FIRST_ROWS;

function heatSubject() {
  const subjects = subjectsOf(state.metric, ruleInUse());
  return subjects.includes(state.subject) ? state.subject : subjects[0];
}

function heatRows(columns) {
  // The worst cell of a row decides, and among equals the mean of the row.
  const worst = (row) => {
    const harms = row.cells.filter((cell) => columns[0][cell] !== null).map((cell) => harm(theMetric(), columns[0][cell]));
    return harms.length ? Math.max(...harms) + 1e-3 * (harms.reduce((sum, one) => sum + one, 0) / harms.length) : -1;
  };
  const rows = D.rows.filter((row) => row.cells.some(passes));
  const order = byId("heat-order").value;
  if (order === "worst") return rows.map((row) => [worst(row), row]).sort((a, b) => b[0] - a[0]).map(([, row]) => row);
  return order === "name" ? rows.sort((a, b) => a.title.localeCompare(b.title)) : rows;
}

function drawHeatMap() {
  const subjects = subjectsOf(state.metric, ruleInUse());
  const subject = heatSubject();
  const columns = series(subject, state.metric, ruleInUse());
  const metric = theMetric();
  byId("heat-map-lead").textContent = `${whatIsShown()}${metric.about ? `: ${metric.about}` : ""}. Each row is a sweep, its weakest strength first.${metric.id.startsWith("agreement") ? " Grey where kappa cannot be told from 0: no better than chance." : ""}`;
  const radios = [...(subjects.includes("-") ? ["-"] : []), ...D.detectors.keys()];
  byId("subject").replaceChildren(h("legend", { class: "hidden" }, "Whose numbers"), ...radios.map((index) => h("label", {},
    h("input", { type: "radio", name: "subject", value: index, checked: index === subject, disabled: !subjects.includes(index),
      onchange: () => choose({ subject: index }) }),
    h("span", {}, detectorName(index)))));
  drawScale(metric);
  const rows = heatRows(columns);
  const shown = rows.slice(0, heatRowsShown);
  const table = h("table", { class: "heat", role: "grid", "aria-label": `${whatIsShown()} of ${detectorName(subject)}` },
    h("tbody", {}, shown.map((row) => h("tr", {},
      h("th", { scope: "row" }, row.title, h("small", {}, subtitle(row))),
      row.cells.map((cell, at) => heatCell(row, cell, at, columns, metric, subject))))));
  const first = table.querySelector("td[data-cell]");
  if (first) first.tabIndex = 0;
  byId("heat-body").replaceChildren(rows.length ? table : h("p", { class: "empty" }, "No attack passes the filter."));
  byId("heat-chosen").textContent = `Scores of ${cellName(state.cell)}`;
  if (rows.length > shown.length) {
    byId("heat-body").append(h("button", { class: "more", type: "button", onclick: () => {
      heatRowsShown = Infinity;
      drawHeatMap();
    } }, `Show all ${rows.length} rows`));
  }
}

/** What varies along a row; where its damage has no one direction, that the row only ascends. */
function subtitle(row) {
  return row.subtitle + (row.values.length > 1 && !row.ordered ? ", ascending" : "");
}

function heatCell(row, cell, at, columns, metric, subject) {
  const value = columns[0][cell];
  const step = value === null ? null : Math.round(harm(metric, value) * 15);
  const tone = step === null ? "none" : `h${step} ${step >= 10 ? "strong" : "mild"}`;
  const isGrey = isChance(kappaOf(subject, metric.id, ruleInUse(), cell));
  return h("td", { class: `${tone}${isGrey ? " chance" : ""}${cell === state.cell ? " chosen" : ""}`, "data-cell": cell, tabindex: -1,
    "aria-label": `${cellName(cell)}: ${D.cells.error[cell] ? "failed" : written(value, metric.decimals)}` },
    row.labels[at] ? h("span", {}, row.labels[at]) : null, h("b", {}, D.cells.error[cell] ? "failed" : written(value, metric.decimals)));
}

function drawScale(metric) {
  const ends = metric.pale === "high" ? [metric.high, metric.low] : [metric.low, metric.high];
  byId("scale").replaceChildren(h("span", {}, String(ends[0])),
    h("span", {}, Array.from({ length: 16 }, (_, step) => h("i", { class: `h${step}` }))), h("span", {}, `${ends[1]}`));
  byId("scale").setAttribute("aria-label", `Colours from ${ends[0]} to ${ends[1]}; beyond, the colour of the end`);
}

/** What the tooltip says about a cell: every detector's number. */
function cellLines(cell) {
  if (D.cells.error[cell]) return [cellName(cell), `failed: ${D.cells.error[cell]}`];
  const metric = theMetric();
  const subjects = subjectsOf(state.metric, ruleInUse());
  const lines = subjects.flatMap((detector) => {
    const own = `${detectorName(detector)}: ${estimate(number(chosenSeries(detector), cell), metric.decimals + 1)}`;
    const kappa = kappaOf(detector, metric.id, ruleInUse(), cell);
    return kappa ? [own, `kappa ${estimate(kappa, 3)}${isChance(kappa) ? ": no better than chance" : ""}`] : [own];
  });
  const columns = chosenSeries(subjects[0]);
  return [cellName(cell), ...lines, `${columns[3][cell] ?? 0} clips of ${columns[4][cell] ?? 0} recordings`];
}

/** Arrow keys move within the grid, Enter chooses; the whole grid is one stop of the Tab key. */
function setUpHeatMap() {
  const body = byId("heat-body");
  const cellAt = (event) => event.target.closest?.("td[data-cell]");
  body.addEventListener("pointerover", (event) => {
    const td = cellAt(event);
    if (td) showTip(cellLines(Number(td.dataset.cell)), event.clientX, event.clientY);
    else hideTip();
  });
  body.addEventListener("pointerleave", hideTip);
  body.addEventListener("focusin", (event) => {
    const td = cellAt(event);
    if (!td) return;
    const box = td.getBoundingClientRect();
    showTip(cellLines(Number(td.dataset.cell)), box.left, box.bottom - 10);
  });
  body.addEventListener("focusout", hideTip);
  body.addEventListener("click", (event) => {
    const td = cellAt(event);
    if (td) chooseHeatCell(td);
  });
  body.addEventListener("keydown", (event) => {
    const td = cellAt(event);
    if (!td) return;
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      chooseHeatCell(td);
    } else if (move) {
      event.preventDefault();
      const rows = [...td.closest("tbody").rows];
      const row = rows[rows.indexOf(td.parentElement) + move[0]];
      const target = row?.cells[Math.max(1, Math.min(row.cells.length - 1, td.cellIndex + move[1]))];
      if (!target) return;
      td.tabIndex = -1;
      target.tabIndex = 0;
      target.focus();
    }
  });
  byId("heat-order").addEventListener("change", drawHeatMap);
  offerCsv(document.querySelector("#heat-map .csv"), () => {
    const subject = heatSubject();
    const columns = series(subject, state.metric, ruleInUse());
    const cells = [...D.cells.title.keys()].filter((cell) => passes(cell) && columns[0][cell] !== null);
    return [NUMBER_HEADER, ...cells.map((cell) => numberRow(cell, subject))];
  });
}

const NUMBER_HEADER = ["attack", "params", "detector", "threshold_rule", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups"];

function numberRow(cell, subject) {
  const columns = chosenSeries(subject);
  return [D.cells.attack[cell], D.cells.params[cell], subject === "-" ? "" : detectorName(subject),
    theMetric().rules[0] === "" ? "" : ruleInUse(), state.metric, ...columns.map((column) => column[cell])];
}

function chooseHeatCell(td) {
  byId("heat-body").querySelector("td.chosen")?.classList.remove("chosen");
  td.classList.add("chosen");
  choose({ cell: Number(td.dataset.cell) });
  byId("heat-chosen").textContent = `Scores of ${cellName(state.cell)}`;
}
