// Every text of a page that is seen and too faint on what is behind it (WCAG 2.2: 4.5 to 1, marks of a
// plot 3 to 1), as "text: ratio". The last transparent layer's colour stands for all of them.
const light = c => c.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
const parts = colour => (colour.match(/[\d.]+/g) || []).map(Number);
function behind(node) {
  for (let e = node; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
}
const ratio = (a, b) => {
  const [high, low] = [light(a.slice(0, 3)), light(b.slice(0, 3))].sort((p, q) => q - p);
  return (high + .05) / (low + .05);
};
const faint = [];
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()), mark = e.matches("svg .mark");
  if (!(own || mark) || !e.getClientRects().length || e.matches("script, style, option, title")) continue;
  const style = getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
  const found = ratio(parts(svg ? style.fill : style.color), behind(e));
  if (found < (mark ? 3 : 4.5)) faint.push((e.textContent.trim() || e.getAttribute("class")).slice(0, 40) + ": " + found.toFixed(2));
}
return faint;
