// The table's columns: two names, then what the board writes; costs and the rest are sorted as written.
const keyed = () => board.head.map((text, i) => i < 2
  ? { text, name: ["model", "method"][i] }
  : { text, name: board.columns[i - 2] ? board.columns[i - 2].name : text, place: i - 2, column: board.columns[i - 2] });
const inOrder = columns => [columns[1], columns[0], ...columns.slice(2)];

function value(row, { name, place }) {
  if (place === undefined) return row[name];
  const exact = name in row.means ? row.means[name] : row.costs[name];
  if (exact !== undefined) return exact;
  return row.cells[place] === "-" ? null : row.cells[place];
}
function ordered(rows) {
  const column = keyed().find(c => c.name === sorted.column);
  if (!column) return rows;
  const sign = sorted.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [p, q] = [value(a, column), value(b, column)];
    if (p === null || q === null) return (p === null) - (q === null);
    return sign * (typeof p === "string" ? p.localeCompare(q, "en", { numeric: true }) : p - q);
  });
}
// A cell as the board writes it; what stands behind ± can be hidden, or put below on paper.
function written(td, text) {
  const [before, spread, after] = text.split(/( ± [^ ]+)/);
  td.append(before);
  if (spread) { el("span", td, spread, { class: "spread" }); td.append(after); }
}
function drawHead() {
  const head = at("table").tHead;
  head.replaceChildren();
  const line = el("tr", head);
  for (const { text, name, place, column } of inOrder(keyed())) {
    const th = el("th", line, null, { scope: "col", "aria-sort": "none", class: place === undefined ? "name" : "" });
    if (place !== undefined) th.dataset.place = place;
    const button = el("button", th, text, { type: "button", "data-sort": name });
    if (column) button.title = column.formula;
    button.onclick = () => {
      const again = sorted.column === name;
      sorted = again && sorted.down ? { column: null, down: false } : { column: name, down: again };
      for (const each of line.children) each.setAttribute("aria-sort", "none");
      if (sorted.column) th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      drawBody();
    };
  }
  const box = at("columns");
  box.replaceChildren();
  for (const { text, name, place } of keyed().slice(2)) {
    const check = el("input", el("label", box), null, { type: "checkbox", value: name });
    check.checked = true;
    check.parentElement.append(" " + text);
    check.onchange = () => { check.checked ? hiding.delete(place) : hiding.add(place); hide(); };
  }
}
const hiding = new Set();
function hide() {
  for (const cell of at("table").querySelectorAll("[data-place]")) cell.hidden = hiding.has(+cell.dataset.place);
}
function drawBody() {
  const body = at("table").tBodies[0], rows = ordered(shown());
  body.replaceChildren();
  for (const row of rows) {
    const tr = el("tr", body), name = el("th", tr, null, { scope: "row", class: "name" });
    const [kind, shape] = look(row.method);
    el("path", el("svg", name, null, { viewBox: "-7 -7 14 14", class: "key", "aria-hidden": "true" }), null, { d: shape, class: "mark " + kind });
    const button = el("button", name, row.method, { type: "button", "aria-label": "open " + label(row) });
    button.onclick = () => open(row, button);
    el("td", tr, row.model, { class: "name" });
    row.cells.forEach((text, place) => {
      const td = el("td", tr, null, { "data-place": place });
      written(td, text);
      const gap = board.columns[place] && row.gaps[board.columns[place].name];
      if (gap) td.title = gap;
    });
  }
  at("count").textContent = rows.length + " of " + board.rows.length + " rows";
  hide();
}
