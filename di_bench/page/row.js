const PAGE = 50;
function open(row, from) {
  opened = row; opener = from;
  const others = board.rows.filter(r => r !== row && r.model === row.model);
  const before = others.find(r => r.method === "none") || others[0];
  options(at("other"), others.map(r => [board.rows.indexOf(r), label(r)]), before ? board.rows.indexOf(before) : "");
  at("other").parentElement.hidden = !others.length;
  at("row").hidden = false;
  drawRow();
  at("row").scrollIntoView(); at("row").focus();
}
function close() {
  at("row").hidden = true; opened = null;
  if (opener && opener.isConnected) opener.focus(); else at("title").scrollIntoView();
}
function drawRow() {
  const row = opened, other = at("other").value === "" ? null : board.rows[at("other").value], body = at("rowbody");
  at("rowtitle").textContent = label(row);
  body.replaceChildren();
  for (const said of row.failed) el("p", body, said, { class: "worse" });
  el("p", body, "The command that makes this row:");
  el("pre", body, row.command, { id: "command" });
  const more = el("details", body, null, { id: "environment" });
  el("summary", more, "Settings, seeds and environment");
  list(more, [["seeds", row.seeds.join(", ")], ...Object.entries(row.settings), ...Object.entries(row.environment),
    ...board.columns.map(c => [c.label, c.formula])]);
  if (other) drawDifference(body, row, other);
  drawCurves(body, row, other);
  drawItems(body, row, other);
}
function grid(parent, id, heads) {
  const table = el("table", el("div", parent, null, { class: "wide", role: "region", tabindex: 0, "aria-label": heads[0] }), null, { id });
  const line = el("tr", el("thead", table));
  heads.forEach((text, i) => el("th", line, text, { scope: "col", class: i ? "" : "name" }));
  return el("tbody", table);
}
// Whether a change is for the better; where the retrained model is the aim, whether it is nearer to it.
function verdict(column, a, b, model) {
  if (column.better !== "gold") return (b > a) === (column.better === "higher") ? "better" : "worse";
  const gold = board.rows.find(r => r.model === model && r.method === "retrain"), aim = gold ? mean(gold, column.name) : null;
  if (aim === null) return "";
  const gain = Math.abs(a - aim) - Math.abs(b - aim);
  return gain > 0 ? "nearer" : gain < 0 ? "farther" : "";
}
function drawDifference(parent, row, other) {
  el("h3", parent, "Beside " + label(other));
  const body = grid(parent, "difference", ["column", other.method, row.method, "difference"]);
  el("p", parent, "A difference that is no larger than what stands behind ± may be luck.", { class: "note" });
  const line = (name, place, a, b, said) => {
    const tr = el("tr", body), exact = a === null || b === null ? null : b - a;
    const gain = exact !== null && Math.abs(exact) < .0005 ? 0 : exact;
    el("th", tr, name, { scope: "row", class: "name" });
    written(el("td", tr), other.cells[place]); written(el("td", tr), row.cells[place]);
    const word = gain ? said(a, b) : "";
    el("td", tr, gain === null ? "-" : (gain > 0 ? "+" : "") + number(gain) + (word ? " " + word : ""),
      { class: { better: "better", nearer: "better", worse: "worse", farther: "worse" }[word] || "" });
  };
  board.columns.forEach((c, i) => line(c.label, i, mean(other, c.name), mean(row, c.name), (a, b) => verdict(c, a, b, row.model)));
  Object.keys(row.costs).forEach((cost, i) => line(cost, board.columns.length + i, other.costs[cost], row.costs[cost], () => ""));
}
const scoresOf = (row, column) => (row && row.scores[column]) || [];
function drawItems(parent, row, other) {
  const columns = board.columns.filter(c => scoresOf(row, c.name).length);
  el("h3", parent, "Items");
  if (!columns.length) { el("p", parent, "No item scores are kept of this row."); return; }
  if (!Object.keys(row.answers).length) el("p", parent, "What this row answered was not in the cache of the machine that made this report; its scores are. Run the command above, then make the report again.", { id: "rowtextless" });
  const bar = el("div", parent, null, { class: "bar" });
  const pick = el("select", el("label", bar, "Column "), null, { id: "itemcolumn" });
  options(pick, columns.map(c => [c.name, c.label]), columns[0].name);
  const order = el("select", el("label", bar, "First "), null, { id: "itemorder" });
  options(order, [["gap", "largest difference"], ["high", "highest"], ["low", "lowest"], ["name", "in order"]], other ? "gap" : "name");
  const find = el("input", el("label", bar, "Find "), null, { type: "search", id: "itemfind", autocomplete: "off" });
  const place = el("div", parent);
  let count = PAGE;
  const draw = () => {
    place.replaceChildren();
    const ids = board.items[pick.value], mine = scoresOf(row, pick.value), theirs = scoresOf(other, pick.value);
    const wanted = find.value.trim().toLowerCase(), gap = i => Math.abs(mine[i] - (theirs[i] ?? mine[i]));
    const by = { gap: (a, b) => gap(b) - gap(a), high: (a, b) => mine[b] - mine[a], low: (a, b) => mine[a] - mine[b], name: (a, b) => a - b };
    const found = [...ids.keys()].filter(i => (mine[i] ?? null) !== null && (!wanted || said(ids[i]).includes(wanted))).sort(by[order.value]);
    const body = grid(place, "items", ["item", ...(other ? [other.method] : []), row.method]);
    for (const i of found.slice(0, count)) {
      const tr = el("tr", body), button = el("button", el("th", tr, null, { scope: "row", class: "name" }), ids[i], { type: "button", "aria-expanded": "false" });
      if (other) el("td", tr, number(theirs[i]));
      el("td", tr, number(mine[i]));
      button.onclick = () => {
        const shut = button.getAttribute("aria-expanded") === "true";
        button.setAttribute("aria-expanded", String(!shut));
        if (shut) { tr.nextSibling.remove(); return; }
        const line = document.createElement("tr"); tr.after(line);
        text(el("td", line, null, { class: "text", colspan: other ? 3 : 2 }), ids[i], row, other);
      };
    }
    if (found.length > count) {
      const rest = el("p", place, "The first " + count + " of " + found.length + ". ", { class: "more" });
      el("button", rest, "Show more", { type: "button" }).onclick = () => { count += PAGE; draw(); };
    }
  };
  pick.onchange = order.onchange = find.oninput = () => { count = PAGE; draw(); };
  draw();
}
// Where a probe asked about an item. Scores that are a mean of columns name them before a slash.
function asked(id) {
  const own = name => Object.entries(board.asked).map(([probe, { items }]) => [probe, items.indexOf(name)]).filter(([, i]) => i >= 0);
  const found = own(id);
  return found.length ? found : own(id.slice(id.indexOf("/") + 1));
}
const said = id => [id, ...asked(id).slice(0, 1).map(([probe, i]) => data.strings[board.asked[probe].prompts[i]])].join("\n").toLowerCase();
function text(parent, id, row, other) {
  const found = asked(id), none = board.rows.find(r => r.model === row.model && r.method === "none");
  if (!found.length) { el("p", parent, "No text of this item is at hand."); return; }
  for (const [probe, i] of found) {
    const { prompts, truths } = board.asked[probe], who = [["before", none], ["compared", other], ["after", row]];
    const pairs = [["prompt", data.strings[prompts[i]]], ["truth", data.strings[truths[i]]]];
    for (const [when, each] of who) {
      const answer = each && ((each.answers[probe] || [])[i] ?? null);
      if (each && answer !== null && !(when === "compared" && each === none) && !(when === "before" && each === row))
        pairs.push([when + " (" + each.method + ")", data.strings[answer]]);
    }
    el("strong", parent, probe.replaceAll("_", " "));
    list(parent, pairs.filter(([name, words]) => name !== "prompt" || words).map(([name, words]) => [name, words || "(nothing)"]));
  }
}
