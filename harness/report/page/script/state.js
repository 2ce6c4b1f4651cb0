/** What the reader has chosen, and the figures that follow it. */

const state = {
  metric: METRIC.has("accuracy") ? "accuracy" : D.metrics[0]?.id,
  rule: "fixed",
  subject: 0,
  words: [],
  family: "",
  shown: new Set(D.detectors.keys()),
  cell: null,
};

const figures = [];
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const figure = figures.find((candidate) => candidate.section === entry.target);
      figure.isNear = entry.isIntersecting;
      if (figure.isNear && figure.isStale) draw(figure);
    }
  },
  { rootMargin: "600px" },
);

/** A figure is drawn when the reader comes near it, and again when something it depends on has changed. */
function figure(id, dependsOn, drawIt) {
  const one = { section: byId(id), dependsOn, drawIt, isNear: false, isStale: true };
  figures.push(one);
  seen.observe(one.section);
}

function draw(one) {
  one.isStale = false;
  one.drawIt();
}

/** Change what is chosen; figures out of sight wait until they are seen. */
function choose(changes) {
  hideTip();
  Object.assign(state, changes);
  for (const one of figures) {
    if (!one.dependsOn.some((name) => name in changes)) continue;
    one.isStale = true;
    if (one.isNear) draw(one);
  }
}

const theMetric = () => METRIC.get(state.metric);
const ruleInUse = () => (theMetric().rules.includes(state.rule) ? state.rule : theMetric().rules[0]);
const chosenSeries = (detector) => series(detector, state.metric, ruleInUse());

/** Whether a cell passes the filters. */
function passes(cell) {
  if (state.family && D.cells.family[cell] !== state.family) return false;
  if (!state.words.length) return true;
  const text = `${cellName(cell)} ${D.cells.attack[cell]} ${D.cells.params[cell]}`.toLowerCase();
  return state.words.every((word) => text.includes(word));
}

/** "Accuracy, at each detector's own threshold". */
function whatIsShown() {
  const rule = ruleInUse();
  return theMetric().label + (rule ? `, ${D.rules[rule]}` : "");
}

function setUpControls() {
  const groups = [...new Set(D.metrics.map((metric) => metric.group))];
  byId("metric").replaceChildren(
    ...groups.map((group) =>
      h("optgroup", { label: group }, D.metrics.filter((metric) => metric.group === group)
        .map((metric) => h("option", { value: metric.id, selected: metric.id === state.metric }, metric.label)))),
  );
  const listRules = () => {
    const rules = theMetric().rules.filter((rule) => rule);
    options(byId("rule"), rules.length ? rules.map((rule) => [rule, D.rules[rule]]) : [["", "no threshold involved"]], ruleInUse());
    byId("rule").disabled = rules.length < 2;
  };
  listRules();
  byId("metric").addEventListener("change", (event) => {
    state.metric = event.target.value;
    listRules();
    choose({ metric: state.metric });
  });
  byId("rule").addEventListener("change", (event) => choose({ rule: event.target.value }));
  byId("query").addEventListener("input", (event) => {
    choose({ words: event.target.value.toLowerCase().split(/\s+/).filter(Boolean) });
  });
  const families = [...new Set(D.cells.family.filter(Boolean))].sort();
  options(byId("family"), [["", "all"], ...families.map((family) => [family, family])], "");
  byId("family").addEventListener("change", (event) => choose({ family: event.target.value }));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const [index, detector] of D.detectors.entries()) {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => {
      const shown = new Set(state.shown);
      if (box.checked) shown.add(index);
      else shown.delete(index);
      choose({ shown });
    } });
    const key = s("svg", { width: 14, height: 14, class: "chart", viewBox: "0 0 14 14", "aria-hidden": true }, mark(index, 7, 7, 4.2));
    key.style.width = "14px";
    byId("shown").append(h("label", {}, box, key, `${detector.name}${detector.role === "reference" ? " (reference)" : ""}`));
  }
}

/** Light, dark, or as the system says; kept where the browser lets a page keep something. */
function setUpTheme() {
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  const keep = (action) => {
    try {
      return action();
    } catch {
      return null; // storage is switched off: the choice holds as long as the page is open
    }
  };
  const kept = keep(() => localStorage.getItem("sealproof-theme"));
  for (const radio of document.querySelectorAll('#theme input[type="radio"]')) {
    radio.checked = radio.value === (kept ?? "auto");
    if (radio.checked) apply(radio.value);
    radio.addEventListener("change", () => {
      apply(radio.value);
      keep(() => localStorage.setItem("sealproof-theme", radio.value));
    });
  }
}
