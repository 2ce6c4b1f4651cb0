/** Scales and axes of the charts. */

/** A function from a number to a place: linear, or logarithmic over positive values that span more than a factor of ten. */
function scale(values, from, to, reversed) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  const isLog = low > 0 && high / low > 10;
  const f = isLog ? (value) => (value > 0 ? Math.log(value) : -Infinity) : (value) => value;
  if (low === high) high = low + 1;
  return (value) => {
    const share = (f(value) - f(low)) / (f(high) - f(low));
    return from + (to - from) * (reversed ? 1 - share : share);
  };
}

/** The range of a metric's axis: its scale, wider where values among `cells` lie beyond. Intervals are cut off there. */
function axisRange(metric, columns, cells) {
  const values = columns.flatMap((column) => cells.map((cell) => column[0][cell]).filter((value) => value !== null));
  const step = metric.high - metric.low > 2 ? 5 : 0.1;
  const low = Math.min(metric.low, Math.floor(Math.min(...values) / step + 1e-9) * step);
  const high = Math.max(metric.high, Math.ceil(Math.max(...values) / step - 1e-9) * step);
  return [low, high];
}

/** The place of a value on a vertical axis; beyond its range, the end of it. */
function upright([low, high], top, bottom) {
  return (value) => bottom - ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (bottom - top);
}

/** Horizontal grid lines with their numbers. */
function gridLines([low, high], y, left, right) {
  return ticks(low, high, 5).flatMap((value) => [
    s("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
    s("text", { x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, String(value)),
  ]);
}

/** Round ticks for a range of numbers. */
function ticks(low, high, n) {
  const raw = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(Math.round(value / step) * step);
  return found.map((value) => Number(value.toPrecision(6)));
}

/** A point's mark, so that detectors differ in more than colour. */
function mark(detector, x, y, size, attributes = {}) {
  const shapes = [
    (r) => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    (r) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    (r) => `M${x},${y - 1.35 * r}L${x + 1.35 * r},${y}L${x},${y + 1.35 * r}L${x - 1.35 * r},${y}z`,
    (r) => `M${x},${y - 1.3 * r}L${x + 1.2 * r},${y + r}H${x - 1.2 * r}z`,
  ];
  return s("path", { class: `mark ${colour(detector)}`, d: shapes[detector % 4](size), ...attributes });
}
