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

  // What a cell says without its small print, and what it sorts by.
  const main = (cell) => (cell.querySelector("summary") ?? cell).firstChild?.textContent ?? "";
  const value = (cell) => cell.dataset.sort ?? main(cell);
  const key = (row, index) => {
    const text = value(row.cells[index]);
    const number = Number(text);
    return text === "" || text === "\u2013" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
    : String(a).localeCompare(String(b), undefined, { numeric: true });

  // Sort by a column; "" is the order of the page.
  const sort = (table, index, direction) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (direction) heads[index].setAttribute("aria-sort", direction);
    const sign = direction === "descending" ? -1 : 1;
    const rows = [...body.rows].map((row) => [row, direction ? key(row, index) : null]);
    rows.sort(([a, x], [b, y]) => {
      if (x === null || y === null) return (x === null) - (y === null) || a.dataset.place - b.dataset.place;
      return sign * compare(x, y) || a.dataset.place - b.dataset.place;
    });
    body.append(...rows.map(([row]) => row));
  };
  const turn = (table, head) => {
    const first = head.classList.contains("num") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const before = head.getAttribute("aria-sort");
    sort(table, head.cellIndex, before === null ? first : before === first ? second : "");
  };

  // Hide the rows that do not fit, and of those that do all but the best few; plots hear of the former.
  const filter = (bar, table) => {
    const words = bar.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
    const facts = [...bar.querySelectorAll("select")].filter((select) => select.value);
    const limit = bar.querySelector("input[data-few]:not(:checked)")?.dataset.few ?? Infinity;
    const rows = [...table.tBodies[0].rows];
    const fits = [];
    for (const row of rows) {
      row.text ??= row.textContent.toLowerCase();
      const fit = words.every((word) => row.text.includes(word)) && facts.every((s) => row.dataset[s.dataset.fact] === s.value);
      row.toggleAttribute("data-out", !fit);
      if (fit) fits.push(row);
    }
    const places = fits.map((row) => Number(row.dataset.place)).sort((a, b) => a - b);
    const last = places[Math.min(limit, places.length) - 1] ?? -1;
    for (const row of rows) row.hidden = row.hasAttribute("data-out") || row.dataset.place > last;
    const shown = Math.min(limit, fits.length);
    const of = fits.length < rows.length ? `${fits.length} that fit, of ${rows.length} rows` : `${rows.length} rows`;
    bar.querySelector("output").textContent = shown < fits.length ? `the best ${shown} of ${of}` : of;
    table.dispatchEvent(new CustomEvent("filtered", { bubbles: true }));
  };

  const columns = (box, table) => {
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      if (head.dataset.group !== box.dataset.group || head.hidden !== box.checked) return;
      for (const row of table.rows) row.cells[index].hidden = !box.checked;
    });
  };

  // What is shown as comma-separated values: numbers as they were measured, small print in a column of its own.
  const csv = (table) => {
    const heads = [...table.tHead.rows[0].cells].filter((head) => !head.hidden);
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    const small = (row, head) => row.cells[head.cellIndex].querySelector("small")?.textContent ?? "";
    const noted = heads.map((head) => rows.some((row) => small(row, head)));
    const quote = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const join = (texts) => `${texts.map(quote).join(",")}\n`;
    const name = (head) => head.textContent.trim();
    const lines = rows.map((row) => join(heads.flatMap((head, i) => {
      const text = value(row.cells[head.cellIndex]);
      return [text === "\u2013" ? "" : text, ...(noted[i] ? [small(row, head)] : [])];
    })));
    return join(heads.flatMap((head, i) => [name(head), ...(noted[i] ? [`${name(head)}: detail`] : [])])) + lines.join("");
  };
  const save = (table) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv(table)], { type: "text/csv" }));
    link.download = `${table.id || "table"}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  // The state of every bar is the address of the page: #show?0.words=w4&0.bits=4.
  const bars = [...document.querySelectorAll(".filters")].map((bar) => ({ bar, table: bar.nextElementSibling.querySelector("table") }));
  const fields = (bar) => [...bar.querySelectorAll("input,select")];
  const usual = (field) => field.type === "checkbox" ? field.checked === field.defaultChecked : !field.value;
  const address = () => {
    const said = new URLSearchParams();
    bars.forEach(({ bar, table }, n) => {
      for (const field of fields(bar)) if (!usual(field)) said.set(`${n}.${field.name}`, field.type === "checkbox" ? Number(field.checked) : field.value);
      const head = table.querySelector("th[aria-sort]");
      if (head) said.set(`${n}.sort`, `${head.cellIndex} ${head.getAttribute("aria-sort")}`);
    });
    const hash = String(said) ? `#show?${said}` : "";
    bars.forEach(({ bar }) => { bar.querySelector(".link").href = hash || "#main"; });
    return hash;
  };
  const remember = () => {
    const hash = address();
    if (hash || location.hash.startsWith("#show?")) history.replaceState(null, "", hash || location.pathname + location.search);
  };
  const restore = () => {
    const linked = location.hash.startsWith("#show?");
    const said = new URLSearchParams(linked ? location.hash.slice(6) : "");
    bars.forEach(({ bar, table }, n) => {
      for (const field of fields(bar)) {
        const told = said.get(`${n}.${field.name}`);
        if (field.type === "checkbox") field.checked = told === null ? field.defaultChecked : told === "1";
        else field.value = told ?? "";
        if (field.dataset.group) columns(field, table);
      }
      const [index, direction] = (said.get(`${n}.sort`) ?? "").split(" ");
      const known = ["ascending", "descending"].includes(direction) && table.tHead.rows[0].cells[Number(index)];
      if (known) sort(table, Number(index), direction);
      else if (table.querySelector("th[aria-sort]")) sort(table, 0, "");
      filter(bar, table);
    });
    address();
    if (linked) bars.find((_, n) => [...said.keys()].some((name) => name.startsWith(`${n}.`)))?.bar.scrollIntoView();
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tBodies[0].rows].forEach((row, place) => { row.dataset.place = place; });
    for (const head of table.tHead.rows[0].cells) head.querySelector("button").addEventListener("click", () => { turn(table, head); remember(); });
  }
  for (const { bar, table } of bars) {
    bar.addEventListener("input", (event) => {
      if (event.target.dataset.group) columns(event.target, table);
      else filter(bar, table);
      remember();
    });
    bar.querySelector(".csv").addEventListener("click", () => save(table));
  }
  // The second pinned column stands right of the first, however wide that is.
  for (const table of document.querySelectorAll("table.pinned")) {
    const first = table.tHead.rows[0].cells[0];
    new ResizeObserver(() => table.style.setProperty("--first", `${first.offsetWidth}px`)).observe(first);
  }
  addEventListener("hashchange", () => { if (location.hash.startsWith("#show?")) restore(); });
  document.addEventListener("DOMContentLoaded", restore);
})();
