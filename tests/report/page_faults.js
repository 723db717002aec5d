// What a checker of accessibility would find on the page, as a list of sentences.
const faults = [];
const root = document.documentElement;
const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
const all = (query) => [...document.querySelectorAll(query)];

// Structure
if (root.lang !== "en") faults.push("no language");
if (all("h1").length !== 1) faults.push("not one h1");
if (all("main").length !== 1) faults.push("not one main");
const levels = all("h1, h2, h3, h4").map((h) => Number(h.tagName[1]));
levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) faults.push(`heading jumps to h${level}`); });
const ids = all("[id]").map((e) => e.id);
for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) faults.push(`id twice: ${id}`);
for (const a of all("a[href^='#']")) if (!document.getElementById(a.hash.slice(1))) faults.push(`dead link ${a.hash}`);
for (const e of all("section")) if (!document.getElementById(e.getAttribute("aria-labelledby"))) faults.push(`section without a name: ${e.id}`);

// Names for who does not see
for (const img of all("img")) if (!img.alt) faults.push("image without a text");
const outer = all("svg").filter((s) => !s.parentElement.closest("svg"));
for (const s of outer) {
  if (s.getAttribute("aria-hidden") === "true") continue;
  if (s.getAttribute("role") !== "img" || !s.getAttribute("aria-label")) faults.push("chart without a text");
}
if (all("svg [aria-label], svg [role]").length) faults.push("marks within a chart have names of their own");
for (const b of all("button")) if (!b.textContent.trim()) faults.push("button without a text");
for (const t of all("table")) {
  if (!t.caption) faults.push(`table without a caption: ${t.className}`);
  for (const th of t.querySelectorAll("th")) if (!th.scope) faults.push("head of a table without a scope");
}
for (const e of all(".scroll")) {
  if (e.tabIndex !== 0 || !e.getAttribute("aria-label")) faults.push("what scrolls cannot be reached by keyboard");
}

// Width: nothing sideways but in regions of their own
if (root.scrollWidth > innerWidth) faults.push(`scrolls sideways: ${root.scrollWidth} > ${innerWidth}`);
if (matchMedia("print").matches) {
  for (const e of document.querySelectorAll(".scroll")) {
    if (e.scrollWidth > e.clientWidth + 1) faults.push(`cut on paper: ${e.getAttribute("aria-label")}`);
  }
}
for (const e of all("main *, header *")) {
  if (!seen(e) || e.closest(".scroll, .vh, svg")) continue;
  if (e.getBoundingClientRect().right > innerWidth + 1) faults.push(`runs out of the page: ${e.tagName} ${e.textContent.slice(0, 40)}`);
}

// Texts of charts keep clear of each other
for (const plot of all(".plot, .fx")) {
  if (!seen(plot)) continue;
  const texts = [...plot.querySelectorAll("text, .lab")].filter((e) => e.textContent.trim() && seen(e));
  const boxes = texts.map((e) => e.getBoundingClientRect());
  for (let i = 0; i < texts.length; i++) for (let j = i + 1; j < texts.length; j++) {
    const w = Math.min(boxes[i].right, boxes[j].right) - Math.max(boxes[i].left, boxes[j].left);
    const h = Math.min(boxes[i].bottom, boxes[j].bottom) - Math.max(boxes[i].top, boxes[j].top);
    if (w > 1 && h > 3) faults.push(`texts overlap: ${texts[i].textContent} / ${texts[j].textContent}`);
  }
}

// Names in a scatter never touch another's mark
for (const plot of all(".plot.wide")) {
  if (!seen(plot)) continue;
  const marks = [...plot.querySelectorAll("circle.mean")].map((e) => e.getBoundingClientRect());
  for (const name of plot.querySelectorAll("text.name")) {
    const b = name.getBoundingClientRect();
    for (const m of marks) {
      const w = Math.min(b.right, m.right) - Math.max(b.left, m.left), h = Math.min(b.bottom - 3, m.bottom) - Math.max(b.top + 3, m.top);
      if (w > 1 && h > 1) faults.push(`a name touches a mark: ${name.textContent}`);
    }
  }
}

// Contrast of texts, WCAG AA
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgb = (color, below = [255, 255, 255]) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = `rgb(${below.join(",")})`;
  canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const light = (c) => {
  const [r, g, b] = c.map((x) => x / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (e) => {
  const stack = [];
  for (let x = e; x; x = x.parentElement) {
    const color = getComputedStyle(x).backgroundColor;
    if (color !== "rgba(0, 0, 0, 0)") stack.push(color);
  }
  return stack.reverse().reduce((below, color) => rgb(color, below), [255, 255, 255]);
};
const poor = new Set(), known = new Map();
for (const e of all("body *")) {
  if (!seen(e) || e.closest(".vh, script, style, .skip")) continue;
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
  const style = getComputedStyle(e), inside = e.closest("svg");
  if (e.tagName === "title" || Number(style.opacity) === 0) continue;
  const ink = inside ? style.fill : style.color, back = ground(e);
  const key = `${ink}/${back}`;
  if (!known.has(key)) {
    const [a, b] = [light(rgb(ink, back)), light(back)].sort((x, y) => y - x);
    known.set(key, (a + 0.05) / (b + 0.05));
  }
  if (known.get(key) < 4.5) poor.add(`contrast ${known.get(key).toFixed(2)}: ${e.textContent.trim().slice(0, 30)}`);
}
faults.push(...poor);
return faults.slice(0, 12);
