// Tables: sorted, filtered, with columns to choose; and an address that says what is shown.
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

  const turn = (rows, head) => {
    const first = head.classList.contains("num") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const before = head.getAttribute("aria-sort");
    rows.sort(head.cellIndex, before === null ? first : before === first ? second : "");
  };

  // Leave out the rows that do not fit, and of those that do all but the best few; plots hear of the former.
  const filter = (bar, rows) => {
    const words = bar.querySelector("input[type=search]").value.toLowerCase().split(/\s+/).filter(Boolean);
    const facts = [...bar.querySelectorAll("select")].filter((select) => select.value);
    const limit = bar.querySelector("input[data-few]:not(:checked)")?.dataset.few ?? Infinity;
    const fits = [];
    for (const row of rows.order) {
      row.out = !(facts.every((s) => row.facts[s.dataset.fact] === s.value) && words.every((word) => rows.words(row).includes(word)));
      if (!row.out) fits.push(row);
    }
    const places = fits.map((row) => row.place).sort((a, b) => a - b);
    const last = places[Math.min(limit, places.length) - 1] ?? -1;
    rows.show(fits.filter((row) => row.place <= last));
    const shown = Math.min(limit, fits.length);
    const all = rows.all.length;
    const of = fits.length < all ? `${fits.length} that fit, of ${all} rows` : `${all} rows`;
    bar.querySelector("output").textContent = shown < fits.length ? `the best ${shown} of ${of}` : of;
    rows.table.dispatchEvent(new CustomEvent("filtered", { bubbles: true }));
  };

  // The state of every bar is the address of the page: #show?0.words=w4&0.bits=4.
  const bars = [...document.querySelectorAll(".filters[data-table]")].map((bar) => {
    const rows = tables.get(bar.dataset.table || bar.nextElementSibling.querySelector("table").id);
    return { bar, rows, change: (field) => field.dataset.group ? rows.columns(field.dataset.group, field.checked) : filter(bar, rows) };
  });
  const charts = [...document.querySelectorAll(".filters[data-chart]")].map((bar) => ({ bar, change: () => bar.dispatchEvent(new Event("drawn")) }));
  const states = [...bars, ...charts];
  const fields = (bar) => [...bar.querySelectorAll("input,select")];
  const usual = (field) => field.type === "checkbox" ? field.checked === field.defaultChecked
    : field.tagName === "SELECT" ? field.selectedIndex < 1 : !field.value;
  const address = () => {
    const said = new URLSearchParams();
    states.forEach(({ bar, rows }, n) => {
      for (const field of fields(bar)) if (!usual(field)) said.set(`${n}.${field.name}`, field.type === "checkbox" ? Number(field.checked) : field.value);
      const head = rows?.heads.find((one) => one.hasAttribute("aria-sort"));
      if (head) said.set(`${n}.sort`, `${head.cellIndex} ${head.getAttribute("aria-sort")}`);
    });
    const hash = String(said) ? `#show?${said}` : "";
    for (const { bar } of states) bar.querySelector(".link").href = hash || "#main";
    return hash;
  };
  const remember = () => {
    const hash = address();
    if (hash || location.hash.startsWith("#show?")) history.replaceState(null, "", hash || location.pathname + location.search);
  };
  const restore = () => {
    const linked = location.hash.startsWith("#show?");
    const said = new URLSearchParams(linked ? location.hash.slice(6) : "");
    states.forEach(({ bar, rows, change }, n) => {
      for (const field of fields(bar)) {
        const told = said.get(`${n}.${field.name}`);
        if (field.type === "checkbox") field.checked = told === null ? field.defaultChecked : told === "1";
        else if (told !== null || field.tagName !== "SELECT") field.value = told ?? "";
        else field.selectedIndex = 0;
        if (field.dataset.group) change(field);
      }
      if (!rows) return change(bar);
      const [index, direction] = (said.get(`${n}.sort`) ?? "").split(" ");
      if (["ascending", "descending"].includes(direction) && rows.heads[Number(index)]) rows.sort(Number(index), direction);
      else if (rows.order !== rows.all) rows.sort(0, "");
      filter(bar, rows);
    });
    address();
    if (linked) states.find((_, n) => [...said.keys()].some((name) => name.startsWith(`${n}.`)))?.bar.scrollIntoView();
  };

  for (const rows of tables.values()) {
    const bar = bars.find((one) => one.rows === rows)?.bar;
    for (const head of rows.heads) head.querySelector("button").addEventListener("click", () => {
      turn(rows, head);
      if (bar) filter(bar, rows); else rows.show(rows.order);
      remember();
    });
  }
  for (const { bar, rows, change } of states) {
    bar.addEventListener("input", (event) => { change(event.target); remember(); });
    for (const button of bar.querySelectorAll("button[data-save]")) {
      button.addEventListener("click", () => saveTable(rows, button.dataset.save));
    }
  }
  // The second pinned column stands right of the first, however wide that is.
  for (const table of document.querySelectorAll("table.pinned")) {
    const first = table.tHead.rows[0].cells[0];
    new ResizeObserver(() => table.style.setProperty("--first", `${first.offsetWidth}px`)).observe(first);
  }
  addEventListener("hashchange", () => { if (location.hash.startsWith("#show?")) restore(); });
  document.addEventListener("DOMContentLoaded", restore);
})();
