/** Elements, text and files. Text from the run goes through textContent and attributes only: never parsed as markup. */

const byId = (id) => document.getElementById(id);

/** Make an element: h("td", {class: "x", onclick: f}, child, "text"). */
function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

function options(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

/** A number with fixed decimals, with a real minus sign; a dash where there is none. */
function written(value, decimals) {
  return value === null || value === undefined ? "\u2013" : value.toFixed(decimals).replace("-", "\u2212");
}

/** "0.83 [0.71, 0.92]" of [value, low, high]. */
function estimate(numbers, decimals) {
  if (!numbers || numbers[0] === null) return "\u2013";
  const interval = numbers[1] === null ? "" : ` [${written(numbers[1], decimals)}, ${written(numbers[2], decimals)}]`;
  return written(numbers[0], decimals) + interval;
}

/** Let a link download what its figure shows: `table` returns the header and the rows. */
function offerCsv(link, table) {
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  link.addEventListener("click", () => {
    const text = table().map((row) => row.map(field).join(",") + "\n").join("");
    link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(text);
  });
}
