"use strict";

// Buttons that copy: hidden without JavaScript, and the result is told to screen readers.
const said = document.getElementById("said");
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent.trim();
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = document.createElement("textarea"); // a page from the disk has no clipboard
      field.value = text;
      document.body.append(field);
      field.select();
      done = document.execCommand("copy");
      field.remove();
      button.focus();
    }
    const label = button.textContent;
    button.textContent = done ? "Copied" : "Not copied";
    said.textContent = done ? `${button.dataset.what} copied` : "could not copy";
    setTimeout(() => { button.textContent = label; }, 1600);
  });
}

// Contents: the section that is read is marked.
const links = new Map([...document.querySelectorAll("nav.toc a")].map((a) => [a.hash.slice(1), a]));
const seen = new Set();
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
  const first = [...links.keys()].find((name) => seen.has(name));
  for (const [name, a] of links) name === first ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current");
}, { rootMargin: "-10% 0px -55% 0px" });
for (const name of links.keys()) watch.observe(document.getElementById(name));

// A link to what is folded opens it.
const unfold = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let box = target; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
};
window.addEventListener("hashchange", unfold);
unfold();

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
