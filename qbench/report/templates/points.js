"use strict";
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

  const tables = new Map();
  const rowsOf = (figure) => {
    const id = figure.dataset.trials;
    if (!tables.has(id)) {
      const rows = [...document.getElementById(id).tBodies[0].rows];
      tables.set(id, new Map(rows.map((row) => [row.dataset.line, row])));
    }
    return tables.get(id);
  };
  const lines = (point) => (point.dataset.trial ?? point.dataset.beside).split(" ");
  const rowsBehind = (point) => {
    const rows = rowsOf(point.closest("figure"));
    return lines(point).map((line) => rows.get(line)).filter(Boolean);
  };

  const said = (cell) => {
    const small = cell.querySelector("small")?.textContent ?? "";
    const text = cell.textContent.slice(0, cell.textContent.length - small.length).trim();
    return [text, small];
  };
  const told = (row) => {
    const name = [0, 1].map((index) => said(row.cells[index]).filter(Boolean).join(", ")).join(" ");
    const facts = [...row.closest("table").tHead.rows[0].cells].filter((head) => head.hasAttribute("data-tip")).flatMap((head) => {
      const [text, small] = said(row.cells[head.cellIndex]);
      return text && text !== "\u2013" ? [`${head.textContent.trim()}: ${text}${small ? ` [${small}]` : ""}`] : [];
    });
    return [name, ...facts, `line ${row.dataset.line} of trials.jsonl`].join("\n");
  };

  const close = () => { tip.hidden = true; ring.remove(); };
  const open = (point) => {
    const rows = rowsBehind(point);
    if (!rows.length) return close();
    const more = rows.length > 1 ? `\nthe mean of ${rows.length} trials, lines ${lines(point).join(", ")}` : "";
    tip.textContent = told(rows[0]) + more;
    tip.hidden = false;
    const svg = point.ownerSVGElement;
    const box = point.getBBox();
    ring.setAttribute("cx", box.x + box.width / 2);
    ring.setAttribute("cy", box.y + box.height / 2);
    ring.setAttribute("r", Math.max(box.height, 4) / 2 + 3);
    svg.append(ring);
    const at = point.getBoundingClientRect();
    const left = Math.min(at.right + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = at.bottom + 12 + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${below ? at.bottom + 12 : Math.max(8, at.top - 12 - tip.offsetHeight)}px`;
  };
  const goTo = (point) => {
    const [row] = rowsBehind(point);
    if (!row) return;
    close();
    row.hidden = false;
    row.tabIndex = -1;
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
  };

  const points = (svg) => [...svg.querySelectorAll("[data-trial]")];
  for (const svg of document.querySelectorAll("figure[data-trials] svg")) {
    if (!svg.querySelector("[data-trial]")) continue;
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

  document.addEventListener("filtered", (event) => {
    if (!event.target.id) return;
    for (const figure of document.querySelectorAll(`figure[data-trials="${event.target.id}"]`)) {
      const rows = rowsOf(figure);
      for (const mark of figure.querySelectorAll("[data-trial], [data-beside]")) {
        mark.classList.toggle("out", lines(mark).every((line) => rows.get(line)?.hasAttribute("data-out")));
      }
    }
  });
})();
