// What is shown as a file: a table as CSV, LaTeX or Parquet, a plot as PNG.
const saveBlob = (parts, type, name) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// The columns and rows that are shown: [{ name, values, numeric }], small print as a column of its own.
const columnsOf = (rows) => rows.visible.flatMap((index) => {
  const head = rows.heads[index];
  const name = head.textContent.trim();
  const cells = rows.shown.map((row) => row.cells[index]);
  const numbers = cells.map(Rows.number);
  const numeric = rows.numeric[index] && cells.every((cell, n) => numbers[n] !== null || Rows.text(cell) === "");
  const found = [{ name, numeric, values: numeric ? numbers : cells.map((cell) => String(Rows.value(cell))) }];
  if (cells.some((cell) => Rows.small(cell))) found.push({ name: `${name}: detail`, numeric: false, values: cells.map(Rows.small) });
  return found;
});

const csvOf = (rows) => {
  const quote = (value) => /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  const columns = columnsOf(rows);
  const line = (values) => `${values.map((value) => quote(String(value ?? ""))).join(",")}\n`;
  return line(columns.map((one) => one.name)) + rows.shown.map((_, n) => line(columns.map((one) => one.values[n]))).join("");
};

const latexOf = (rows) => {
  const marks = { "\\": "\\textbackslash{}", "\u2212": "$-$", "\u00d7": "$\\times$", "\u2026": "--", "\u202f": "\\,", "\u00a0": "~", "\u2013": "--", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  const plain = (text) => text.replace(/[\\&%$#_{}~^\u2212\u00d7\u2026\u202f\u00a0\u2013]/g, (one) => marks[one] ?? `\\${one}`);
  const said = ([text, , small]) => plain(text) + (small ? ` {\\scriptsize [${plain(small)}]}` : "");
  const form = rows.visible.map((index) => rows.numeric[index] ? "r" : "l").join("");
  const line = (texts) => `${texts.join(" & ")} \\\\\n`;
  return `% needs booktabs\n\\begin{tabular}{${form}}\n\\toprule\n`
    + line(rows.visible.map((index) => plain(rows.heads[index].textContent.trim()))) + "\\midrule\n"
    + rows.shown.map((row) => line(rows.visible.map((index) => said(row.cells[index])))).join("") + "\\bottomrule\n\\end{tabular}\n";
};

const SAVED = {
  csv: (rows) => [[csvOf(rows)], "text/csv"],
  tex: (rows) => [[latexOf(rows)], "application/x-tex"],
  parquet: (rows) => [[parquetOf(columnsOf(rows))], "application/vnd.apache.parquet"],
};
const saveTable = (rows, suffix) => saveBlob(...SAVED[suffix](rows), `${rows.table.id}.${suffix}`);

// A plot in its colours of now, its title above it.
const pngOf = async (svg, title, sure = 2) => {
  const style = getComputedStyle(document.documentElement);
  const box = svg.viewBox.baseVal;
  const clone = svg.cloneNode(true);
  clone.querySelectorAll(".ring").forEach((ring) => ring.remove());
  clone.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  clone.setAttribute("width", box.width);
  clone.setAttribute("height", box.height);
  clone.insertAdjacentHTML("afterbegin", `<style>${document.querySelector("head style").textContent}</style>`);
  const text = new XMLSerializer().serializeToString(clone)
    .replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim().replaceAll('"', "'"));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const lines = [""];
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  const font = "600 14px system-ui, sans-serif";
  pen.font = font;
  for (const word of title.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (pen.measureText(longer).width > box.width - 16) lines.push(word); else lines[lines.length - 1] = longer;
  }
  const above = 20 * lines.length + 8;
  canvas.width = sure * box.width;
  canvas.height = sure * (box.height + above);
  pen.scale(sure, sure);
  pen.fillStyle = style.getPropertyValue("--paper");
  pen.fillRect(0, 0, box.width, box.height + above);
  pen.fillStyle = style.getPropertyValue("--ink");
  pen.font = font;
  lines.forEach((line, place) => pen.fillText(line, 8, 20 * (place + 1)));
  pen.drawImage(image, 0, above, box.width, box.height);
  return canvas;
};
for (const figure of document.querySelectorAll("figure")) {
  const title = figure.querySelector("figcaption h3");
  if (!title || !figure.querySelector("svg") || figure.matches(".culprits")) continue;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "save";
  button.textContent = "PNG";
  button.setAttribute("aria-label", `Save as PNG: ${title.textContent}`);
  button.addEventListener("click", async () => {
    const svg = [...figure.querySelectorAll("svg")].find((one) => one.getClientRects().length);
    (await pngOf(svg, title.textContent)).toBlob((blob) => saveBlob([blob], "image/png", `${figure.id}.png`));
  });
  figure.querySelector("figcaption").append(button);
}
