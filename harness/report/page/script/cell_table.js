/** Every cell as a table that sorts and filters. */

const FIRST_CELLS = 60;
let cellsShown = FIRST_CELLS;
const cellSort = { column: -1, isDown: false };

function cellColumns() {
  const subjects = subjectsOf(state.metric, ruleInUse()).filter((detector) => detector !== "-");
  const audio = QUALITY.map((metric) => ({ name: metric.label, numbers: series("-", metric.id, ""), metric, isWithInterval: false }));
  const own = subjects.map((detector) => ({ name: detectorName(detector), numbers: chosenSeries(detector), metric: theMetric(), isWithInterval: true, detector }));
  return [...audio, ...own];
}

function sortedCells(columns) {
  const cells = [...D.cells.title.keys()].filter(passes);
  const { column, isDown } = cellSort;
  if (column === -1) return cells;
  const sign = isDown ? -1 : 1;
  if (column === 0) return cells.sort((a, b) => sign * cellName(a).localeCompare(cellName(b), undefined, { numeric: true }));
  if (column === 1) return cells.sort((a, b) => sign * D.cells.family[a].localeCompare(D.cells.family[b]));
  const value = (cell) => columns[column - 2]?.numbers[0][cell] ?? null;
  // Cells without the number stay at the end, whichever way.
  return cells.sort((a, b) => (value(a) === null) - (value(b) === null) || sign * (value(a) - value(b)));
}

function drawCells() {
  const columns = cellColumns();
  const cells = sortedCells(columns);
  byId("cells-lead").textContent = `${whatIsShown()}, with 95 % intervals. ${cells.length} of ${N_CELLS} cells pass the filter; a row opens its scores.`;
  const head = ["Attack", "Family", ...columns.map((column) => column.name)].map((name, column) => sortHead(name, column, cellSort, drawCells, column < 2));
  const rows = cells.slice(0, cellsShown).map((cell) => h("tr", { "data-cell": cell, class: cell === state.cell ? "chosen" : "" },
    h("th", { scope: "row" }, D.cells.title[cell], h("small", {}, D.cells.strength[cell])),
    h("td", { class: "text" }, D.cells.family[cell]),
    D.cells.error[cell] ? h("td", { class: "text", colspan: columns.length }, `failed: ${D.cells.error[cell]}`) : columns.map((column) => cellValue(column, cell))));
  byId("cells-body").replaceChildren(h("table", { class: "data" }, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)));
  if (cells.length > rows.length) {
    byId("cells-body").append(h("button", { class: "more", type: "button", onclick: () => {
      cellsShown = Infinity;
      drawCells();
    } }, `Show all ${cells.length} cells`));
  }
}

function cellValue({ numbers, metric, isWithInterval, detector }, cell) {
  const found = number(numbers, cell);
  const interval = isWithInterval && found && found[1] !== null ? h("small", {}, `[${written(found[1], 3)}, ${written(found[2], 3)}]`) : null;
  const kappa = isWithInterval && found ? kappaOf(detector, metric.id, ruleInUse(), cell) : null;
  const beside = kappa ? h("small", {}, `kappa ${estimate(kappa, 3)}`) : null;
  return h("td", { class: isChance(kappa) ? "chance" : "" }, written(found?.[0], isWithInterval ? 3 : metric.decimals), interval, beside);
}

function setUpCells() {
  figure("cells", ["metric", "rule", "words", "family", "cell"], drawCells);
  byId("cells-body").addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-cell]");
    if (!row) return;
    choose({ cell: Number(row.dataset.cell) });
    byId("scores").scrollIntoView();
  });
  offerCsv(document.querySelector("#cells .csv"), () => {
    const columns = cellColumns();
    return [
      ["attack", "params", "family", ...columns.map((column) => column.name)],
      ...sortedCells(columns).map((cell) => [D.cells.attack[cell], D.cells.params[cell], D.cells.family[cell], ...columns.map((column) => column.numbers[0][cell])]),
    ];
  });
}
