"use strict";

// Charts: the specifications lie in the page as JSON; ink is currentColor, so the theme is CSS alone.
const options = { renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false } };
async function draw() {
  for (const place of document.querySelectorAll("[data-spec]")) {
    const spec = JSON.parse(document.getElementById(place.dataset.spec).textContent);
    await vegaEmbed(place, spec, options);
  }
  document.body.dataset.ready = "true";
}
draw();

// Sorting: numbers by value, missing ones last whichever way; a third click restores the order.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const next = { none: "descending", descending: "ascending", ascending: "none" };
      const way = next[head.getAttribute("aria-sort") || "none"];
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", way);
      body.append(...(way === "none" ? original : sorted(original, column, way === "ascending" ? 1 : -1)));
    });
  });
}

function sorted(rows, column, sign) {
  const key = (row) => row.cells[column].dataset.order;
  return [...rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const [p, q] = [Number(x), Number(y)];
    const isNumber = !Number.isNaN(p) && !Number.isNaN(q);
    return sign * (isNumber ? p - q : x.localeCompare(y));
  });
}
