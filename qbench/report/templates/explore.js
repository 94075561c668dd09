// A plot whose axes the reader chooses, of the rows of a table: one mark a trial, its interval beside it.
(() => {
  const SHAPES = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "M-3.6 -3.6h7.2v7.2h-7.2z", "M0 -4.6L4.4 3.4H-4.4z", "M0 -5L4.6 0L0 5L-4.6 0z", "M0 4.6L4.4 -3.4H-4.4z"];
  const INKS = ["blue", "orange", "green", "purple", "rose", "amber", "indigo", "teal", "grey"];
  const escape = (text) => text.replace(/[&<>"]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one]);
  const tidy = (value) => Math.abs(value) >= 1e6 ? `${+(value / 1e6).toPrecision(3)}M` : Math.abs(value) >= 1e3 ? `${+(value / 1e3).toPrecision(3)}k` : `${+value.toPrecision(3)}`;
  const numbers = (small) => (small ?? "").replaceAll("\u2212", "-").replace(/[\u202f\u00a0 ]/g, "").split("\u2026").map(Number);

  const ticks = (low, high, log, room) => {
    if (log) {
      const found = [];
      for (const step of [1, 5, 2]) {
        for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
          const mark = step * 10 ** power;
          const near = (other) => Math.abs(Math.log(mark / other)) * room / Math.log(high / low) < 44;
          if (mark >= low && mark <= high && !found.some(near)) found.push(mark);
        }
      }
      return found;
    }
    const rough = (high - low) / Math.max(2, Math.floor(room / 60));
    const unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((one) => one * unit >= rough);
    const found = [];
    for (let mark = Math.ceil(low / step) * step; mark <= high + 1e-9 * step; mark += step) found.push(Math.abs(mark) < 1e-9 * step ? 0 : mark);
    return found;
  };
  const scale = (values, from, to, { log, reverse }) => {
    let [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = log ? (high / low) ** 0.04 || 1.1 : 0.05 * (high - low) || 1;
    [low, high] = log ? [low / Math.max(pad, 1.02), high * Math.max(pad, 1.02)] : [low - pad, high + pad];
    const share = (value) => log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    const at = (value) => from + (to - from) * (reverse ? 1 - share(value) : share(value));
    return { at, ticks: ticks(low, high, log, Math.abs(to - from)) };
  };

  const start = (bar) => {
    const figure = bar.closest("figure");
    const rows = tables.get(figure.dataset.trials);
    const svg = figure.querySelector("svg");
    const pick = Object.fromEntries([...bar.querySelectorAll("select")].map((select) => [select.name, select]));
    const legend = bar.querySelector(".legend");
    const axes = new Map(rows.heads.filter((head) => head.dataset.axis).map((head) => [head.dataset.key, head]));
    const loss = rows.heads.find((head) => head.dataset.loss);
    const off = () => bar.querySelector("input[name=off]");
    const seconds = (name) => name.startsWith("time:") ? name.slice(5) : null;
    const named = (name) => pick.x.querySelector(`option[value="${CSS.escape(name)}"]`)?.textContent ?? axes.get(name).textContent.trim();

    const value = (row, name) => {
      const found = Rows.number(row.cells[axes.get(seconds(name) ?? name).cellIndex]);
      return found === null ? null : seconds(name) ? 1000 / found : found;
    };
    // The paired interval of what was lost stands beside a score, too: it is that of the score less fp32's.
    const ends = (row, name) => {
      if (!loss) return null;
      const lost = row.cells[loss.cellIndex];
      const [low, high] = numbers(lost[2]);
      if (!lost[2] || Number.isNaN(high)) return null;
      if (axes.get(name) === loss) return [low, high];
      const score = value(row, name);
      const turned = axes.get(name).dataset.reverse ? -1 : 1;
      return axes.get(name).dataset.axis === "y" ? [low, high].map((end) => score + turned * (Rows.number(lost) - end)) : null;
    };

    const draw = () => {
      const [x, y, by] = [pick.x.value, pick.y.value, pick.by.value];
      const hidden = new Set(off().value.split("|").filter(Boolean));
      const known = rows.all.filter((row) => row.facts.status === "ok" && row.facts.layers !== "single layer" && value(row, x) > 0 && value(row, y) !== null);
      const groups = [...new Set(known.map((row) => row.facts[by]))].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
      const ink = (group) => `var(--${INKS[groups.indexOf(group) % INKS.length]})`;
      const shape = (group) => SHAPES[groups.indexOf(group) % SHAPES.length];
      legend.innerHTML = groups.map((group) => `<button type="button" class="chip" aria-pressed="${!hidden.has(group)}" data-group="${escape(group)}"><svg viewBox="-6 -6 12 12" width="12" height="12" aria-hidden="true"><path d="${shape(group)}" style="fill:${ink(group)}"/></svg>${escape(group)}</button>`).join("");
      const drawn = known.filter((row) => !hidden.has(row.facts[by]));
      const wide = Math.max(300, Math.round(figure.clientWidth)), high = wide < 500 ? 320 : 400;
      svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
      svg.setAttribute("aria-label", `${named(y)} against ${named(x)}`);
      if (!drawn.length) { svg.innerHTML = `<text x="12" y="30" style="fill:var(--muted);font:13px var(--font)">No row has both.</text>`; return; }
      const log = !["bits"].includes(x) && !axes.get(x)?.dataset.plain;
      const spans = drawn.map((row) => ends(row, y));
      const across = scale(drawn.map((row) => value(row, x)), 52, wide - 14, { log });
      const up = scale([...drawn.map((row) => value(row, y)), ...spans.flat().filter((end) => end !== null)], high - 44, 26, { reverse: axes.get(y).dataset.reverse });
      const note = (at, text, more) => `<text ${at} style="fill:var(--muted);font:12px var(--font);${more ?? ""}">${escape(text)}</text>`;
      const lines = up.ticks.map((tick) => `<path d="M52 ${up.at(tick).toFixed(1)}H${wide - 14}" style="stroke:var(--grid);fill:none"/>` + note(`x="46" y="${(up.at(tick) + 4).toFixed(1)}"`, tidy(tick), "text-anchor:end")).join("")
        + across.ticks.map((tick) => note(`x="${across.at(tick).toFixed(1)}" y="${high - 24}"`, tidy(tick), "text-anchor:middle")).join("");
      const bars = groups.map((group) => {
        const paths = drawn.flatMap((row, n) => row.facts[by] === group && spans[n] ? [`<path data-beside="${row.facts.line}" d="M${across.at(value(row, x)).toFixed(1)} ${up.at(spans[n][0]).toFixed(1)}V${up.at(spans[n][1]).toFixed(1)}"/>`] : []);
        return `<g style="stroke:${ink(group)};stroke-width:2;opacity:.25">${paths.join("")}</g>`;
      });
      const marks = groups.map((group) => `<g style="fill:${ink(group)};stroke:var(--paper);stroke-width:.7">${drawn.filter((row) => row.facts[by] === group).map((row) => `<path data-trial="${row.facts.line}" d="${shape(group)}" transform="translate(${across.at(value(row, x)).toFixed(1)} ${up.at(value(row, y)).toFixed(1)})"/>`).join("")}</g>`);
      svg.innerHTML = lines + bars.join("") + marks.join("")
        + note('x="8" y="14"', `${named(y)}${axes.get(y).dataset.reverse ? " (less is better: up)" : ""}`)
        + note(`x="${wide - 14}" y="${high - 6}"`, `${named(x)}${log ? " (logarithmic)" : ""}`, "text-anchor:end");
      figure.querySelector("h3").textContent = `${named(y)} against ${named(x)}`;
      bar.querySelector("output").textContent = `${drawn.length} trials`;
      figure.dispatchEvent(new CustomEvent("redrawn", { bubbles: true }));
    };
    legend.addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (!chip) return;
      const hidden = new Set(off().value.split("|").filter(Boolean));
      hidden[hidden.has(chip.dataset.group) ? "delete" : "add"](chip.dataset.group);
      off().value = [...hidden].join("|");
      off().dispatchEvent(new Event("input", { bubbles: true }));
      legend.querySelector(`[data-group="${CSS.escape(chip.dataset.group)}"]`)?.focus();
    });
    pick.by.addEventListener("input", () => { off().value = ""; });
    bar.addEventListener("drawn", draw);
    let wide = 0;
    new ResizeObserver(() => { if (wide && wide !== figure.clientWidth) draw(); wide = figure.clientWidth; }).observe(figure);
  };
  document.querySelectorAll(".filters[data-chart]").forEach(start);
})();
