// What a page looks like at the width of this frame: what leaves it at a side, which texts of a plot lie on each other, and
// which texts of it are too pale to be read.
const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
const luminance = (colour) => {
  const [red, green, blue] = channels(colour).slice(0, 3).map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (/^rgb\(/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const pale = () => {
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length || element.closest("script,style")) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    if (!/^rgb/.test(ink)) continue;
    const [light, dark] = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    if ((light + 0.05) / (dark + 0.05) < 4.5) found.add(`${walker.currentNode.data.trim().slice(0, 40)}: ${ink} on ${ground(element)}`);
  }
  return [...found];
};
const measure = () => {
  const wide = document.documentElement.clientWidth;
  const name = (text) => `${text.closest("figure")?.id}: ${text.textContent.trim()}`;
  const found = { clipped: [], overlapping: [], pale: pale(), texts: 0 };
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
