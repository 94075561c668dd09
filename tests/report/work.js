// What a reader does with a page in the frame called `work`: filter, sort, save, choose axes, leave names of a legend out.
const worked = async () => {
  const rows = tables.get("trials1");
  const bar = document.querySelector(".filters[data-table]");
  const field = (name) => bar.querySelector(`[name="${name}"]`);
  const say = (one, change) => { change(one); one.dispatchEvent(new Event("input", { bubbles: true })); };
  const shown = () => rows.shown.map((row) => row.facts.line);
  const binary = (bytes) => btoa([...bytes].map((byte) => String.fromCharCode(byte)).join(""));
  const found = { opened: shown().length, laid: rows.body.rows.length };
  say(field("all"), (box) => { box.checked = true; });
  found.all = shown().length;
  rows.flush();
  found.flushed = rows.body.rows.length;
  say(field("words"), (box) => { box.value = "w4 mse"; });
  found.words = rows.shown.every((row) => row.tr.textContent.includes("w4") && row.tr.textContent.includes("mse"));
  found.filtered = shown();
  found.pale = [...document.querySelectorAll("#plot-accuracy_against_size-1 svg.wide [data-trial].out")].map((mark) => mark.dataset.trial);
  rows.heads.find((head) => head.textContent.trim() === "packed").querySelector("button").click();
  found.sorted = rows.shown.map((row) => Number(row.cells[rows.heads.findIndex((head) => head.dataset.key === "packed")][1]));
  found.csv = csvOf(rows);
  found.latex = latexOf(rows);
  found.parquet = binary(parquetOf(columnsOf(rows)));
  found.address = location.hash;
  const chart = document.querySelector(".chosen");
  const marks = () => chart.querySelectorAll("[data-trial]").length;
  found.charts = {};
  for (const x of chart.querySelector("[name=x]").options) {
    for (const y of chart.querySelector("[name=y]").options) {
      say(chart.querySelector("[name=x]"), (select) => { select.value = x.value; });
      say(chart.querySelector("[name=y]"), (select) => { select.value = y.value; });
      found.charts[`${x.value} ${y.value}`] = [chart.querySelector("h3").textContent, marks(), chart.querySelector("[data-drawn]").innerHTML.includes("NaN")];
    }
  }
  const before = marks();
  chart.querySelector(".legend button").click();
  found.legend = [before, marks(), chart.querySelector(".legend button").getAttribute("aria-pressed")];
  const canvas = await pngOf(chart.querySelector("[data-drawn]"), "a title");
  found.png = [canvas.width, canvas.height, canvas.toDataURL().slice(0, 22)];
  const hidden = rows.all.find((row) => row.out);
  rows.reveal(hidden);
  found.revealed = [hidden.facts.line, document.activeElement.dataset.line];
  found.linked = [...document.querySelectorAll("a[data-line]")].map((link) => {
    link.click();
    return [link.dataset.line, document.activeElement.dataset.line];
  });
  return found;
};
addEventListener("load", async () => {
  const { frame } = Object.fromEntries(new URLSearchParams(location.search));
  if (frame === "work") parent.postMessage([frame, await worked().catch((error) => ({ error: String(error) }))], "*");
});
