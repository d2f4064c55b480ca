function drawPlots() { drawPareto(); drawScaling(); }
function redraw() { drawBody(); drawPlots(); }
function choose(index) {
  board = data.boards[index]; sorted = { column: null, down: false }; hiding.clear();
  board.methods = [...new Set(board.rows.map(r => r.method))].filter(m => !REFERENCES.includes(m));
  board.methods.push(...REFERENCES.filter(m => board.rows.some(r => r.method === m)));
  at("title").textContent = document.title = board.title;
  const models = modelsOf(board.rows), names = board.columns.map(c => [c.name, c.label]);
  options(at("model"), [["", "all"], ...models.map(m => [m, m])], "");
  at("whichmodel").hidden = models.length < 2;
  options(at("x"), names, board.across); options(at("y"), names, board.up);
  at("footnotes").replaceChildren();
  for (const note of board.notes) el("li", at("footnotes"), note);
  at("textless").hidden = board.rows.some(row => Object.keys(row.answers).length);
  at("scalingfigure").hidden = sizesOf(board.rows).length < 2;  // before plots are drawn: they fill the room there is
  at("spread").parentElement.hidden = !board.rows.some(row => row.cells.some(text => text.includes("±")));
  at("row").hidden = true;
  drawHead(); redraw();
}
at("reading").textContent = data.note;
options(at("board"), data.boards.map((b, i) => [i, b.title]), 0);
at("whichboard").hidden = data.boards.length < 2;
at("board").onchange = () => choose(at("board").value);
at("model").onchange = at("find").oninput = redraw;
at("spread").onchange = () => at("table").classList.toggle("plain", !at("spread").checked);
at("x").onchange = at("y").onchange = drawPlots;
at("other").onchange = drawRow;
at("close").onclick = close;
at("row").onkeydown = event => { if (event.key === "Escape") close(); };
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawPlots(); } });
choose(0);
