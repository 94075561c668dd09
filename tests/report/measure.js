// What a page looks like at the width of this frame: what leaves it at a side, and which texts of a plot lie on each other.
const measure = () => {
  const wide = document.documentElement.clientWidth;
  const name = (text) => `${text.closest("figure")?.id}: ${text.textContent.trim()}`;
  const found = { clipped: [], overlapping: [], texts: 0 };
  if (document.documentElement.scrollWidth > wide) found.clipped.push(`the page is ${document.documentElement.scrollWidth} wide, not ${wide}`);
  for (const svg of document.querySelectorAll("figure svg")) {
    if (!svg.getClientRects().length) continue;
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim());
    found.texts += texts.length;
    const boxes = texts.map((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      const line = (bottom - top) * 0.13;  // a line's box is higher than its letters
      return { left, right, top: top + line, bottom: bottom - line, text };
    });
    boxes.forEach((one, index) => {
      if (one.left < 0 || one.right > wide) found.clipped.push(name(one.text));
      for (const other of boxes.slice(index + 1)) {
        const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const up = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        if (across > 1 && up > 1) found.overlapping.push(`${name(one.text)} / ${other.text.textContent.trim()}`);
      }
    });
  }
  return found;
};
addEventListener("load", () => {
  const { theme, frame } = Object.fromEntries(new URLSearchParams(location.search));
  document.documentElement.dataset.theme = theme;
  parent.postMessage([frame, measure()], "*");
});
