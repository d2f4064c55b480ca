const LEFT = 52, TOP = 24, BOTTOM = 46;
const clamp = share => Math.min(Math.max(share, 0), 1);
function share(axis, v) {
  return axis.log ? Math.log(Math.max(v, axis.low) / axis.low) / Math.log(axis.high / axis.low)
    : (v - axis.low) / (axis.high - axis.low);
}
const beyond = (axis, v) => v > axis.high ? 1 : v < axis.low ? -1 : 0;
const tickText = v => Math.abs(v) >= 1e5 || (v && Math.abs(v) < 1e-3) ? v.toExponential(0) : String(+v.toPrecision(6));
function short(weights) {
  const [unit, v] = weights >= 1e9 ? ["B", weights / 1e9] : ["M", weights / 1e6];
  return v.toFixed(v >= 10 ? 0 : v >= 1 ? 1 : v >= .1 ? 2 : 3) + unit;
}
// Round numbers between two others, two to six of them; whole ones where `whole`.
function steps(low, high, whole) {
  const rough = (high - low) / 5, unit = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map(times => unit * times).find(s => s >= rough * .999);
  if (whole) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9); k++) ticks.push(+(k * step).toPrecision(12));
  return ticks;
}
// An empty plot as wide as its place on the page: axes, ticks, names. Gives where values are.
function frame(svg, { x, y, xname, yname, about, right = 14, tall = 300 }) {
  const width = Math.max(260, svg.parentElement.clientWidth || 460), end = width - right, foot = tall - BOTTOM;
  svg.replaceChildren();
  for (const [key, v] of Object.entries({ viewBox: `0 0 ${width} ${tall}`, role: "group", "aria-label": about })) svg.setAttribute(key, v);
  const X = v => LEFT + 8 + (end - LEFT - 16) * clamp(share(x, v)), Y = v => foot - (foot - TOP) * clamp(share(y, v));
  for (const v of y.ticks) {
    el("line", svg, null, { x1: LEFT, x2: end, y1: Y(v), y2: Y(v), class: "grid" });
    el("text", svg, tickText(v), { x: LEFT - 6, y: Y(v) + 4, "text-anchor": "end", class: "soft" });
  }
  let free = 0;
  for (const v of x.ticks) {
    const said = x.names ? x.names(v) : tickText(v), half = said.length * 3.4;
    el("line", svg, null, { x1: X(v), x2: X(v), y1: foot, y2: foot + 5, class: "grid" });
    if (X(v) - half < free) continue;
    free = X(v) + half + 4;
    el("text", svg, said, { x: X(v), y: foot + 18, "text-anchor": "middle", class: "soft" });
  }
  el("text", svg, xname, { x: (LEFT + end) / 2, y: tall - 8, "text-anchor": "middle" });
  el("text", svg, yname, { x: 4, y: 13 });
  return { X, Y, width, foot, end };
}
// Marks of a plot: the nearest to the pointer, or the one with the focus, tells what it is.
function marks(svg, width, points) {
  const tip = svg.parentElement.querySelector(".tip"), nodes = [];
  const tell = i => {
    const { x, y, text, row } = points[i] || {};
    tip.textContent = text || "";
    svg.classList.toggle("hot", !!text);
    for (const node of svg.querySelectorAll("[data-method]")) node.classList.toggle("on", !!row && node.dataset.method === row.method);
    if (!text) return;
    const scale = svg.clientWidth / width, room = svg.clientWidth - tip.offsetWidth;
    tip.style.left = Math.max(0, Math.min(room, x * scale - tip.offsetWidth / 2)) + "px";
    tip.style.top = (y * scale > 60 ? y * scale - tip.offsetHeight - 12 : y * scale + 14) + "px";
  };
  points.forEach(({ x, y, text, row, edge }, i) => {
    const [kind, shape] = look(row.method), d = edge ? (edge > 0 ? "M0-6l5.6 10H-5.6z" : "M0 6l5.6-10H-5.6z") : shape;
    const node = el("path", svg, null, { d, transform: `translate(${x} ${y})`, class: "mark " + kind, tabindex: i ? -1 : 0, role: "button", "aria-label": text, "data-method": row.method });
    nodes.push(node);
    node.onfocus = () => tell(i);
    node.onblur = () => tell(-1);
    node.onclick = () => open(row, node);
    node.onkeydown = event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Enter" || event.key === " ") open(row, node);
      else if (step) go((i + step + nodes.length) % nodes.length);
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(nodes.length - 1);
      else return;
      event.preventDefault();
    };
  });
  const go = to => { nodes.forEach((node, i) => node.setAttribute("tabindex", i === to ? 0 : -1)); nodes[to].focus(); };
  svg.onpointermove = event => {
    const box = svg.getBoundingClientRect(), scale = width / box.width;
    const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const far = points.map(p => Math.hypot(p.x - px, p.y - py)), near = Math.min(...far);
    tell(near < 24 ? far.indexOf(near) : -1);
  };
  svg.onpointerleave = () => tell(-1);
}
// Names beside marks, each where it covers no other; those for which there is no room are left out.
function names(svg, points, { end, foot }) {
  const taken = points.map(p => [p.x - 5, p.y - 5, p.x + 5, p.y + 5]);
  const clashes = ([a, b, c, d], own) => a < LEFT || c > end + 10 || b < 14 || d > foot ||
    taken.some(([p, q, r, s], i) => i !== own && a < r && p < c && b < s && q < d);
  points.forEach(({ x, y, name, row }, i) => {
    const wide = name.length * 6.2, places = [[x + 8, y + 4, "start", x + 8], [x - 8, y + 4, "end", x - 8 - wide], [x, y - 9, "middle", x - wide / 2], [x, y + 17, "middle", x - wide / 2]];
    for (const [px, py, anchor, left] of places) {
      const box = [left, py - 10, left + wide, py + 2];
      if (clashes(box, i)) continue;
      taken.push(box);
      el("text", svg, name, { x: px, y: py, "text-anchor": anchor, class: "soft", "data-method": row.method });
      return;
    }
  });
}
function drawPareto() {
  const [x, y] = [columnOf(at("x").value), columnOf(at("y").value)], sign = { lower: -1, higher: 1 };
  const rows = shown().filter(row => mean(row, x.name) !== null && mean(row, y.name) !== null);
  const place = frame(at("pareto"), { x: x.axis, y: y.axis, xname: board.head[2 + board.columns.indexOf(x)], yname: board.head[2 + board.columns.indexOf(y)], about: y.label + " against " + x.label });
  const several = modelsOf(rows).length > 1;
  const points = rows.map(row => {
    const [a, b] = [mean(row, x.name), mean(row, y.name)];
    return { row, a, b, x: place.X(a), y: place.Y(b), edge: beyond(y.axis, b) || beyond(x.axis, a),
      name: row.method + (several ? " " + row.model.split("/").pop() : ""),
      text: label(row) + ": " + x.label + " " + number(a) + ", " + y.label + " " + number(b) };
  }).sort((p, q) => p.x - q.x);
  const [sx, sy] = [sign[x.better], sign[y.better]], fair = points.filter(p => !REFERENCES.includes(p.row.method));
  const beats = (p, q) => sx * (p.a - q.a) >= 0 && sy * (p.b - q.b) >= 0 && (p.a !== q.a || p.b !== q.b);
  const front = sx && sy ? fair.filter(p => !fair.some(q => beats(q, p))) : [];
  at("frontsaid").hidden = !front.length;
  el("polyline", at("pareto"), null, { points: front.map(p => p.x + "," + p.y).join(" "), class: "front" });
  const first = p => (front.includes(p) || REFERENCES.includes(p.row.method) ? 0 : 1);
  names(at("pareto"), [...points].sort((p, q) => first(p) - first(q)), place);
  marks(at("pareto"), place.width, points);
}
// Ascending places, `gap` apart and near those wanted, between two ends if there is room.
function apart(wanted, gap, low, high) {
  const placed = [];
  for (const y of wanted) placed.push(Math.max(y, placed.length ? placed.at(-1) + gap : low));
  for (let i = placed.length - 1, limit = high; i >= 0; i--) { placed[i] = Math.min(placed[i], limit); limit = placed[i] - gap; }
  return placed;
}
const sizesOf = rows => [...new Set(rows.map(r => r.parameters).filter(Boolean))].sort((a, b) => a - b);
function drawScaling() {
  const y = columnOf(at("y").value), words = at("find").value, svg = at("scaling");
  const chosen = new Set(shown().map(r => r.method));
  const rows = board.rows.filter(r => r.parameters && mean(r, y.name) !== null && (!words || chosen.has(r.method)));
  const sizes = sizesOf(board.rows);
  if (sizes.length < 2) return;
  const methods = board.methods.filter(m => rows.some(r => r.method === m));
  const x = { low: sizes[0], high: sizes.at(-1), log: true, ticks: sizes, names: short };
  const place = frame(svg, { x, y: y.axis, xname: "weights", yname: board.head[2 + board.columns.indexOf(y)], about: y.label + " against the number of weights", right: 112, tall: Math.max(300, methods.length * 13 + TOP + BOTTOM) });
  const points = [], ends = [];
  for (const method of methods) {
    const own = rows.filter(r => r.method === method).sort((a, b) => a.parameters - b.parameters).map(row => ({
      row, x: place.X(row.parameters), y: place.Y(mean(row, y.name)), edge: beyond(y.axis, mean(row, y.name)),
      text: label(row) + ", " + short(row.parameters) + ": " + y.label + " " + number(mean(row, y.name)) }));
    el("polyline", svg, null, { points: own.map(p => p.x + "," + p.y).join(" "), class: "series " + look(method)[0], "data-method": method });
    points.push(...own);
    ends.push({ ...own.at(-1), method });
  }
  ends.sort((p, q) => p.y - q.y);
  apart(ends.map(p => p.y), 13, TOP, place.foot).forEach((top, i) => {
    const { x: px, y: py, method } = ends[i], [kind] = look(method);
    el("path", svg, null, { d: `M${px + 6} ${py}L${place.end} ${py}l10 ${top - py}h3`, class: "lead " + kind, "data-method": method });
    el("text", svg, method.length > 15 ? method.slice(0, 14) + "…" : method, { x: place.end + 15, y: top + 4, class: "soft", "data-method": method });
  });
  marks(svg, place.width, points);
}
// Losses of epochs: a line for each seed of the row, dashed ones for the row beside it.
function drawCurves(parent, row, other) {
  const own = row.curves.filter(c => c.length), theirs = other ? other.curves.filter(c => c.length) : [];
  if (!own.length) return;
  el("h3", parent, "Training");
  const figure = el("figure", parent), svg = el("svg", el("div", figure, null, { class: "plot" }), null, { id: "curves" });
  const all = [...own, ...theirs], flat = all.flat(), long = Math.max(2, ...all.map(c => c.length));
  const [low, high] = [Math.min(...flat), Math.max(...flat)], pad = (high - low) * .05 || .05;
  const y = { low: low - pad, high: high + pad, ticks: steps(low - pad, high + pad) };
  const place = frame(svg, { x: { low: 1, high: long, ticks: steps(1, long, true) }, y, xname: "epoch", yname: "loss", tall: 240,
    about: "Loss of each epoch, by seed: " + own.map(c => c.map(number).join(", ")).join("; ") });
  for (const [curves, extra] of [[theirs, " other"], [own, ""]]) for (const curve of curves) {
    const spots = curve.map((v, i) => [place.X(i + 1), place.Y(v)]), [kind] = look(row.method);
    el("polyline", svg, null, { points: spots.map(p => p.join(",")).join(" "), class: "series " + kind + extra });
    if (!extra) spots.forEach(([cx, cy], i) => el("title",
      el("circle", svg, null, { cx, cy, r: 3.5, class: "mark " + kind }), "epoch " + (i + 1) + ": loss " + number(curve[i])));
  }
  el("figcaption", figure, "Mean loss of each epoch, a line for each seed" + (theirs.length ? "; dashed: " + label(other) + ". Losses of different methods are different things." : "."));
}
