const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);
const REFERENCES = ["none", "retrain"];
let board, sorted = { column: null, down: false }, opened = null, opener = null;

// Characters that would be unseen, or turn what stands beside them, are written out as their numbers.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;
const visible = text => text.replace(UNSEEN, found =>
  "⟨U+" + found.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "⟩");

// Everything a stranger wrote is text of a node: nothing here ever parses it as markup.
function el(name, parent, text, attributes) {
  const svg = name === "svg" || (parent && parent.namespaceURI === "http://www.w3.org/2000/svg");
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined && text !== null) node.textContent = visible(String(text));
  if (parent) parent.append(node);
  return node;
}
function number(value) {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  return size < .0005 ? "0.000" : size < 100 ? value.toFixed(3) : size < 1e6 ? value.toFixed(0) : value.toExponential(1);
}
function options(select, names, chosen) {
  select.replaceChildren();
  for (const [value, label] of names) el("option", select, label, { value });
  select.value = chosen;
}
const mean = (row, column) => row.means[column] ?? null;
const label = row => row.model + " " + row.method;
const columnOf = name => board.columns.find(c => c.name === name);
const modelsOf = rows => [...new Set(rows.map(row => row.model))];

// A row is shown if it is of the chosen model and its method has one of the words in its name.
function shown() {
  const words = at("find").value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  return board.rows.filter(row =>
    (!at("model").value || row.model === at("model").value) &&
    (!words.length || words.some(word => row.method.toLowerCase().includes(word))));
}

// Colour and shape of a method: of the first 28, no two share both.
const SHAPES = ["M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z", "M-4.5-4.5h9v9h-9z", "M0-6l5.6 10H-5.6z", "M0-6l6 6-6 6-6-6z"];
function look(method) {
  if (method === "none") return ["none", SHAPES[0]];
  if (method === "retrain") return ["retrain", SHAPES[1]];
  const place = board.methods.indexOf(method);
  return ["i" + place % 7, SHAPES[Math.floor(place / 7) % SHAPES.length]];
}
function list(parent, pairs) {
  const dl = el("dl", parent);
  for (const [name, text] of pairs) { el("dt", dl, name); el("dd", dl, text, { dir: "auto" }); }
}
