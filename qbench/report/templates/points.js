// Points of the plots: what trial one is, where its row stands, and which of them a filter leaves out.
(() => {
  const NEAR = 16;  // CSS pixels within which a pointer means a point
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.setAttribute("class", "ring");

  const lines = (point) => (point.dataset.trial ?? point.dataset.beside).split(" ");
  const rowsBehind = (point) => {
    const rows = tables.get(point.closest("figure").dataset.trials);
    return lines(point).map((line) => rows.lines.get(line)).filter(Boolean);
  };
  const told = (rows, row) => {
    const said = (cell) => [cell[0], Rows.small(cell)].filter(Boolean);
    const name = [0, 1].map((index) => said(row.cells[index]).join(", ")).join(" ");
    const facts = rows.heads.filter((head) => head.hasAttribute("data-tip")).flatMap((head) => {
      const cell = row.cells[head.cellIndex], text = Rows.text(cell);
      return text ? [`${head.textContent.trim()}: ${text}${Rows.small(cell) ? ` [${Rows.small(cell)}]` : ""}`] : [];
    });
    return [name, ...facts, `line ${row.facts.line} of trials.jsonl`].join("\n");
  };

  const close = () => { tip.hidden = true; ring.remove(); };
  const open = (point) => {
    const rows = rowsBehind(point);
    if (!rows.length) return close();
    const more = rows.length > 1 ? `\nthe mean of ${rows.length} trials, lines ${lines(point).join(", ")}` : "";
    tip.textContent = told(tables.get(point.closest("figure").dataset.trials), rows[0]) + more;
    tip.hidden = false;
    const svg = point.ownerSVGElement;
    const at = point.getBoundingClientRect();
    const scale = svg.getScreenCTM();
    const middle = new DOMPoint(at.left + at.width / 2, at.top + at.height / 2).matrixTransform(scale.inverse());
    ring.setAttribute("cx", middle.x);
    ring.setAttribute("cy", middle.y);
    ring.setAttribute("r", Math.max(at.height / scale.d, 4) / 2 + 3);
    svg.append(ring);
    const left = Math.min(at.right + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = at.bottom + 12 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? at.bottom + 12 : Math.max(8, at.top - 12 - tip.offsetHeight)}px`;
  };
  const goTo = (point) => {
    const [row] = rowsBehind(point);
    if (!row) return;
    close();
    tables.get(point.closest("figure").dataset.trials).reveal(row);
  };

  const points = (svg) => [...svg.querySelectorAll("[data-trial]")];
  for (const svg of document.querySelectorAll("figure[data-trials] svg")) {
    if (!svg.querySelector("[data-trial]") && !svg.hasAttribute("data-drawn")) continue;
    let places = [];
    let current = null;
    const centres = () => {
      const frame = svg.getBoundingClientRect();
      places = points(svg).map((point) => {
        const box = point.getBoundingClientRect();
        return [box.left + box.width / 2 - frame.left, box.top + box.height / 2 - frame.top, point, box.width / 2, box.height / 2];
      });
    };
    const nearest = (event) => {
      const frame = svg.getBoundingClientRect();
      let best = null;
      let least = NEAR;
      for (const [x, y, point, w, h] of places) {
        const across = Math.max(0, Math.abs(event.clientX - frame.left - x) - w);
        const away = Math.hypot(across, Math.max(0, Math.abs(event.clientY - frame.top - y) - h));
        if (away < least && !point.classList.contains("out")) [best, least] = [point, away];
      }
      return best;
    };
    const point = (event) => {
      current = nearest(event);
      svg.style.cursor = current ? "pointer" : "";
      if (current) open(current);
      else close();
    };
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-description", "Arrow keys go from point to point, Enter to the row of a point.");
    svg.addEventListener("pointerenter", centres);
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerleave", close);
    svg.addEventListener("blur", close);
    svg.addEventListener("click", (event) => {
      if (event.pointerType === "touch") { centres(); point(event); return; }
      if (current) goTo(current);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        centres();
        const order = places.filter((place) => !place[2].classList.contains("out")).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((place) => place[2]);
        const at = order.indexOf(current);
        current = order[at < 0 ? (step > 0 ? 0 : order.length - 1) : (at + step + order.length) % order.length] ?? null;
        if (current) open(current);
        event.preventDefault();
      } else if (event.key === "Enter" && current) goTo(current);
      else if (event.key === "Escape") close();
    });
  }

  // Which marks stand for a line; and of those whose row came or went, let them pale or not.
  const marks = new WeakMap();
  const marksOf = (figure) => {
    if (!marks.has(figure)) {
      const found = new Map();
      for (const mark of figure.querySelectorAll("[data-trial], [data-beside]")) {
        for (const line of lines(mark)) found.set(line, [...(found.get(line) ?? []), mark]);
      }
      marks.set(figure, found);
    }
    return marks.get(figure);
  };
  const before = new Map();
  const pale = (figure, rows, changed) => {
    const found = marksOf(figure);
    for (const line of changed) {
      for (const mark of found.get(line) ?? []) mark.classList.toggle("out", lines(mark).every((one) => rows.lines.get(one)?.out));
    }
  };
  const figures = (id) => document.querySelectorAll(`figure[data-trials="${id}"]`);
  document.addEventListener("filtered", (event) => {
    const rows = tables.get(event.target.id);
    const old = before.get(rows) ?? new Set();
    const now = new Set([...rows.lines].filter(([, row]) => row.out).map(([line]) => line));
    before.set(rows, now);
    const changed = [...rows.lines.keys()].filter((line) => old.has(line) !== now.has(line));
    if (changed.length) figures(event.target.id).forEach((figure) => pale(figure, rows, changed));
  });
  document.addEventListener("redrawn", (event) => {
    marks.delete(event.target);
    const rows = tables.get(event.target.dataset.trials);
    pale(event.target, rows, before.get(rows) ?? []);
  });
})();
