"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem("qbench-theme"); } catch { /* a file opened from disk may have no storage */ }
  const show = () => { root.dataset.theme = chosen || (dark.matches ? "dark" : "light"); };
  dark.addEventListener("change", show);
  show();
  document.getElementById("theme").addEventListener("click", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("qbench-theme", chosen); } catch { /* as above */ }
    show();
  });

  const key = (row, index) => {
    const cell = row.cells[index];
    const text = cell.dataset.sort ?? cell.firstChild?.textContent ?? "";
    const number = Number(text);
    return text === "" || text === "\u2013" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });

  const sort = (table, head) => {
    const heads = [...head.parentElement.cells];
    const index = heads.indexOf(head);
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.forEach((row, place) => { row.dataset.place ??= place; });
    const before = head.getAttribute("aria-sort");
    const first = head.classList.contains("num") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const next = before === null ? first : before === first ? second : null;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    if (next) head.setAttribute("aria-sort", next);
    const sign = next === "descending" ? -1 : 1;
    rows.sort((a, b) => {
      if (!next) return a.dataset.place - b.dataset.place;
      const [x, y] = [key(a, index), key(b, index)];
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * compare(x, y) || a.dataset.place - b.dataset.place;
    });
    body.append(...rows);
  };

  const filter = (bar, table) => {
    const words = bar.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
    const facts = [...bar.querySelectorAll("select")].filter((select) => select.value);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && facts.every((s) => row.dataset[s.dataset.fact] === s.value);
      row.hidden = !fits;
      shown += fits;
    }
    bar.querySelector("output").textContent = `${shown} of ${table.tBodies[0].rows.length} rows`;
  };

  const columns = (box, table) => {
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (head.dataset.group !== box.dataset.group) return;
      for (const row of table.rows) row.cells[index].hidden = !box.checked;
    });
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const head of table.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => sort(table, head));
  }
  for (const bar of document.querySelectorAll(".filters")) {
    const table = bar.nextElementSibling.querySelector("table");
    bar.addEventListener("input", () => filter(bar, table));
    for (const box of bar.querySelectorAll("input[data-group]")) {
      box.addEventListener("change", () => columns(box, table));
      columns(box, table);
    }
    filter(bar, table);
  }
})();
