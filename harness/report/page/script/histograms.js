/** Scores of clean and watermarked clips, unattacked and under the chosen attack. */

const N_BINS = D.histograms.counts[0]?.[0]?.[0]?.length ?? 0;

function drawHistograms() {
  byId("cell").value = String(state.cell);
  const cell = state.cell;
  const metric = METRIC.get("accuracy");
  byId("cell-facts").replaceChildren(...(D.cells.error[cell]
    ? [h("span", {}, `This cell failed: ${D.cells.error[cell]}`)]
    : [...D.metrics.filter((one) => one.group === AUDIO && number(series("-", one.id, ""), cell))
        .map((one) => h("span", {}, `${one.label} `, h("b", {}, written(series("-", one.id, "")[0][cell], one.decimals)))),
      ...(metric ? D.detectors.map((detector, index) => h("span", {}, `${detector.name} accuracy `, h("b", {}, estimate(number(series(index, "accuracy", "fixed"), cell), 2)))) : [])]));
  byId("scores-body").replaceChildren(...[...D.detectors.keys()].filter((detector) => state.shown.has(detector)).map((detector) => histogramPanel(detector, cell)));
}

function histogramPanel(detector, cell) {
  const [width, left, right] = [340, 8, 332];
  const [low, high] = [D.histograms.low[detector], D.histograms.high[detector]];
  const x = (value) => left + ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (right - left);
  const rows = [["unattacked", IDENTITY], [cellName(cell), cell]].filter(([, at]) => at >= 0);
  const thresholds = D.detectors[detector].thresholds;
  const rule = theMetric().rules.includes(state.rule) && state.rule in thresholds ? state.rule : "fixed";
  const chart = s("svg", { class: "chart", viewBox: `0 0 ${width} ${26 + rows.length * 112}`, role: "img",
    "aria-label": `Scores of ${detectorName(detector)}, clean and watermarked clips, unattacked and under ${cellName(cell)}` });
  for (const [row, [name, at]] of rows.entries()) {
    const [top, bottom] = [22 + row * 112, 104 + row * 112];
    chart.append(s("text", { class: "row-name", x: left, y: top - 7 }, name.length > 46 ? `${name.slice(0, 45)}\u2026` : name));
    const counts = D.histograms.counts[at][detector];
    const shares = counts.map((bins) => {
      const all = bins.reduce((sum, n) => sum + n, 0);
      return all ? bins.map((n) => n / all) : null;
    });
    const most = Math.max(...shares.flatMap((bins) => bins ?? [0]));
    if (!most) {
      chart.append(s("text", { x: left, y: bottom - 20 }, "no scores: the cell failed"));
      continue;
    }
    for (const [label, bins] of shares.entries()) {
      // A square root lets a few clips be seen beside a bin that holds nearly all.
      const y = (share) => bottom - Math.sqrt(share / most) * (bottom - top);
      const step = (right - left) / N_BINS;
      const outline = bins.map((share, bin) => `V${y(share).toFixed(1)}H${(left + (bin + 1) * step).toFixed(1)}`).join("");
      chart.append(s("g", { class: colour(detector) }, s("path", { class: label ? "marked" : "clean", d: `M${left},${bottom}${outline}V${bottom}z` })));
    }
    chart.append(s("line", { class: "grid", x1: left, x2: right, y1: bottom, y2: bottom }));
    chart.append(s("line", { class: "threshold", x1: x(thresholds[rule]), x2: x(thresholds[rule]), y1: top, y2: bottom }));
  }
  const base = 104 + (rows.length - 1) * 112;
  for (const value of ticks(low, high, 4)) chart.append(s("text", { x: x(value), y: base + 14, "text-anchor": value === low ? "start" : value === high ? "end" : "middle" }, String(value)));
  const caption = s("text", { x: left, y: base + 30 }, `score; dashed: threshold, ${D.rules[rule] ?? rule}`);
  chart.append(caption);
  const key = h("small", {}, h("span", { class: "swatch clean" }), "clean ", h("span", { class: `swatch ${colour(detector)}` }), "watermarked");
  return h("div", { class: "panel" }, h("h3", {}, detectorName(detector), key), chart);
}

function setUpHistograms() {
  if (!N_CELLS) return;
  // Until the reader chooses: the cell that is worst for the reference.
  const own = METRIC.has("accuracy") ? series(0, "accuracy", "fixed") : null;
  const known = [...D.cells.title.keys()].filter((cell) => own && own[0][cell] !== null);
  state.cell = known.length ? known.reduce((worst, cell) => (own[0][cell] < own[0][worst] ? cell : worst)) : 0;
  const families = [...new Set(D.cells.family)];
  byId("cell").replaceChildren(...families.map((family) => h("optgroup", { label: family || "other" },
    [...D.cells.title.keys()].filter((cell) => D.cells.family[cell] === family).map((cell) => h("option", { value: cell }, cellName(cell))))));
  byId("cell").addEventListener("change", (event) => choose({ cell: Number(event.target.value) }));
  offerCsv(document.querySelector("#scores .csv"), () => {
    const rows = [["attack", "params", "detector", "label", "bin_low", "bin_high", "n_clips"]];
    for (const cell of new Set([IDENTITY, state.cell].filter((at) => at >= 0))) {
      for (const detector of state.shown) {
        const [low, high] = [D.histograms.low[detector], D.histograms.high[detector]];
        const edge = (bin) => low + ((high - low) * bin) / N_BINS;
        for (const [label, bins] of D.histograms.counts[cell][detector].entries()) {
          bins.forEach((n, bin) => n && rows.push([D.cells.attack[cell], D.cells.params[cell], detectorName(detector), ["clean", "watermarked"][label], edge(bin), edge(bin + 1), n]));
        }
      }
    }
    return rows;
  });
}
