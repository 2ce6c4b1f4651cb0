/** One tooltip for the whole page. */

const tooltip = byId("tooltip");

function showTip(lines, x, y) {
  tooltip.replaceChildren(h("b", {}, lines[0]), lines.slice(1).join("\n"));
  tooltip.hidden = false;
  const { width, height } = tooltip.getBoundingClientRect();
  const left = Math.min(Math.max(8, x + 14), document.documentElement.clientWidth - width - 8);
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${y + 18 + height > window.innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
}

function hideTip() {
  tooltip.hidden = true;
}

window.addEventListener("scroll", hideTip, { passive: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
