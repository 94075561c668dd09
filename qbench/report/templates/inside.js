// The graph of a network: which question its colours answer; a card that is folded opens when the graph leads to it.
for (const bar of document.querySelectorAll(".filters[data-colours]")) {
  const graph = bar.closest("figure").querySelector(".graph");
  const ask = () => { graph.dataset.by = bar.querySelector("input:checked").value; };
  bar.addEventListener("input", ask);
  ask();
}
addEventListener("hashchange", () => {
  const card = document.getElementById(location.hash.slice(1))?.closest("li");
  const folded = card?.closest("details");
  if (folded && !folded.open) { folded.open = true; card.scrollIntoView(); }
});
