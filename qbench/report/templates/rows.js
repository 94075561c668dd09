"use strict";
// The rows of a table: what each says, as data; and those that are shown, as elements.
// Rows that the page opens without lie beside their table as JSON, so that 2,000 of them cost neither bytes nor layout.
const WINDOW = 60;  // rows that are laid out at once; more follow when nothing else is to be done
const LONG = 34;
const NONE = "\u2013";

class Rows {
  constructor(table) {
    this.table = table;
    this.body = table.tBodies[0];
    this.heads = [...table.tHead.rows[0].cells];
    this.numeric = this.heads.map((head) => head.classList.contains("num"));
    this.hidden = new Set();
    this.all = [...this.body.rows].map((tr) => ({ tr, facts: tr.dataset, cells: [...tr.cells].map(Rows.read) }));
    const waiting = table.parentElement.querySelector("script[type='application/json']");
    if (waiting) {
      const { facts, rows } = JSON.parse(waiting.textContent);
      for (const [values, cells] of rows) {
        const known = Object.fromEntries(facts.map((name, index) => [name, values[index]]));
        this.all.push({ tr: null, facts: known, cells: cells.map((cell) => Array.isArray(cell) ? cell : [cell]) });
      }
    }
    this.all.forEach((row, place) => { row.place = place; row.out = false; });
    this.order = this.all;
    this.shown = this.all.filter((row) => row.tr && !row.tr.hidden);
    this.lines = new Map(this.all.filter((row) => row.facts.line).map((row) => [row.facts.line, row]));
  }

  // A cell is [text, what it sorts by, small print, tone]; what follows the last that it has is left out.
  static read(cell) {
    const small = cell.querySelector("small")?.textContent ?? "";
    const all = cell.textContent.trim();
    return [all.slice(0, all.length - small.length).trim(), cell.dataset.sort, small, cell.dataset.tone];
  }
  static text(cell) { return cell[0] === NONE ? "" : cell[0]; }
  static small(cell) { return cell[2] ?? ""; }
  static value(cell) { return cell[0] === NONE ? "" : cell[1] ?? cell[0]; }
  static number(cell) {
    const said = Rows.value(cell);
    return said === "" || Number.isNaN(Number(said)) ? null : Number(said);
  }

  words(row) {
    row.words ??= row.cells.map((cell) => `${cell[0]} ${cell[2] ?? ""}`).join(" ").toLowerCase();
    return row.words;
  }

  element(row) {
    if (row.tr) return row.tr;
    const tr = row.tr = document.createElement("tr");
    Object.assign(tr.dataset, row.facts);
    row.cells.forEach((cell, index) => {
      const [text, sort, small, tone] = cell;
      const td = tr.insertCell();
      let inner = td;
      if (this.numeric[index]) td.className = "num";
      else if (text.length > LONG || (small ?? "").length > LONG) {
        const long = td.appendChild(document.createElement("details"));
        long.className = "long";
        inner = long.appendChild(document.createElement("summary"));
      }
      if (tone) td.dataset.tone = tone;
      if (sort !== undefined && sort !== null) td.dataset.sort = sort;
      inner.append(text);
      if (small) inner.appendChild(document.createElement("small")).textContent = small;
    });
    return tr;
  }

  // Show these rows, the first of them at once.
  show(rows) {
    clearTimeout(this.later);
    this.shown = rows;
    const first = rows.slice(0, WINDOW).map((row) => { const tr = this.element(row); tr.hidden = false; return tr; });
    this.body.replaceChildren(...first);
    this.laid = first.length;
    this.fill();
  }
  fill() {
    if (this.laid >= this.shown.length) return;
    this.later = setTimeout(() => { this.more(WINDOW); this.fill(); }, 120);
  }
  more(count) {
    const next = this.shown.slice(this.laid, this.laid + count);
    this.laid += next.length;
    this.body.append(...next.map((row) => { const tr = this.element(row); tr.hidden = false; return tr; }));
  }
  // Everything that fits, now: before it is printed, or searched by the browser.
  flush() {
    clearTimeout(this.later);
    this.more(Infinity);
  }
  // Bring a row in, wherever a filter left it, and look at it.
  reveal(row) {
    const tr = this.element(row);
    tr.hidden = false;
    if (!tr.isConnected) {
      const at = this.order.indexOf(row);
      const after = [...this.body.rows].find((one) => this.order.findIndex((other) => other.tr === one) > at);
      this.body.insertBefore(tr, after ?? null);
    }
    tr.tabIndex = -1;
    tr.scrollIntoView({ block: "center" });
    tr.focus({ preventScroll: true });
  }

  // Sort by a column; "" is the order of the page.
  sort(index, direction) {
    this.heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (direction) this.heads[index].setAttribute("aria-sort", direction);
    const sign = direction === "descending" ? -1 : 1;
    const key = (row) => {
      const text = Rows.value(row.cells[index]);
      return text === "" ? null : Rows.number(row.cells[index]) ?? String(text);
    };
    const rows = this.all.map((row) => [row, direction ? key(row) : null]);
    rows.sort(([a, x], [b, y]) => {
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
      const alike = typeof x === "number" && typeof y === "number" ? x - y
        : String(x).localeCompare(String(y), undefined, { numeric: true });
      return sign * alike || a.place - b.place;
    });
    this.order = rows.map(([row]) => row);
  }

  // Columns are hidden by one rule of style, however many rows there are.
  columns(group, on) {
    this.heads.forEach((head, index) => {
      if (head.dataset.group === group) this.hidden[on ? "delete" : "add"](index);
    });
    this.rule ??= document.head.appendChild(document.createElement("style"));
    const ends = [...this.hidden].map((index) => `:nth-child(${index + 1})`).join(",");
    this.rule.textContent = ends ? `#${this.table.id} > * > tr > :is(${ends}) { display: none; }` : "";
  }
  get visible() { return this.heads.map((_, index) => index).filter((index) => !this.hidden.has(index)); }
}

const tables = new Map();
for (const table of document.querySelectorAll("table.sortable")) {
  table.id ||= `table-${tables.size}`;
  tables.set(table.id, new Rows(table));
}
// A figure outside the table leads to the row that it comes from.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-line]");
  const rows = link && tables.get(link.hash.slice(1));
  const row = rows?.lines.get(link.dataset.line);
  if (!row) return;
  event.preventDefault();
  rows.reveal(row);
});
addEventListener("beforeprint", () => tables.forEach((rows) => rows.flush()));
addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "f") tables.forEach((rows) => rows.flush());
});
