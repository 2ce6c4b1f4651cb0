/** The run's numbers, as the page was given them. */

const D = JSON.parse(byId("data").textContent);
// Ends of intervals that lie beyond the strengths tried are infinite: JSON has them as text.
for (const point of D.breaks.flatMap((sweep) => sweep.points)) {
  for (const end of ["low", "high"]) if (typeof point?.[end] === "string") point[end] = Number(point[end]);
}
const N_CELLS = D.cells.title.length;
const METRIC = new Map(D.metrics.map((metric) => [metric.id, metric]));
const AGREEMENT = "Agreement with the reference";
const AUDIO = "Attacked audio";
const IDENTITY = D.cells.attack.indexOf("identity");

const detectorName = (index) => (index === "-" ? "attacked audio" : D.detectors[index].name);
const colour = (index) => (index === "-" ? "" : `d${index % 6}`);
const cellName = (cell) => `${D.cells.title[cell]} ${D.cells.strength[cell]}`.trim();

/** Five columns (value, low, high, clips, groups) over the cells, or null where the detector has no such number. */
function series(detector, metric, rule) {
  const rules = METRIC.get(metric).rules;
  return D.series[`${detector}|${rules.length === 1 && rules[0] === "" ? "" : rule}|${metric}`] ?? null;
}

/** [value, low, high] of one cell, or null. */
function number(columns, cell) {
  return columns === null || columns[0][cell] === null ? null : [columns[0][cell], columns[1][cell], columns[2][cell]];
}

/** Kappa of one cell where an agreement is shown, or null: raw agreement alone flatters whoever always says the same. */
function kappaOf(detector, metric, rule, cell) {
  if (!metric.startsWith("agreement") || !METRIC.has("cohens_kappa")) return null;
  return number(series(detector, "cohens_kappa", rule), cell);
}

/** Whether a kappa cannot be told from 0, agreement by chance. */
function isChance(kappa) {
  return kappa !== null && (kappa[1] === null ? kappa[0] <= 0 : kappa[1] <= 0 && kappa[2] >= 0);
}

/** Detectors that a metric says something of under a rule; "-" for numbers about the audio. */
function subjectsOf(metric, rule) {
  return ["-", ...D.detectors.keys()].filter((detector) => series(detector, metric, rule) !== null);
}

/** How far a value is from the harmless end of its scale, 0 to 1. */
function harm(metric, value) {
  const share = (value - metric.low) / (metric.high - metric.low);
  return Math.min(1, Math.max(0, metric.pale === "high" ? 1 - share : share));
}
