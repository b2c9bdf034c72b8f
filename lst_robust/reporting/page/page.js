"use strict";
// What the page can do beyond being read: sorting, filtering, unfolding trainings, and the choice of colours. Without this
// script all rows are visible. Nothing is stored, and nothing is asked of a network.

document.documentElement.classList.add("scripted"); // without it, what only a control would show stands there already

const ORDERS = { ascending: 1, descending: -1 };
const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

function element(tag, text, properties = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  made.textContent = text;
  return made;
}

// Sorting: a <tbody> is a network with its trainings, so that they stay together.

function valueOf(body, column, isText) {
  if (isText) return body.dataset.name;
  const cell = body.rows[0].cells[column];
  return cell && cell.dataset.value !== undefined ? Number(cell.dataset.value) : NaN;
}

function sortBoard(table, head, order) {
  const isText = head.dataset.sort === "text";
  const keyed = [...table.tBodies].map((body) => [valueOf(body, head.cellIndex, isText), body]);
  keyed.sort(([one], [other]) => {
    if (isText) return ORDERS[order] * words.compare(one, other);
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other); // without a value: last
    return ORDERS[order] * (one - other);
  });
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  table.append(...keyed.map(([, body]) => body));
}

function makeSortable(table) {
  if (!table.querySelector("tbody[data-name]")) return;
  for (const head of table.tHead.querySelectorAll("[data-sort]")) {
    const first = head.dataset.sort === "descending" ? "descending" : "ascending"; // the best first
    const second = first === "ascending" ? "descending" : "ascending";
    const button = element("button", head.textContent.trim(), { type: "button" });
    button.addEventListener("click", () => {
      sortBoard(table, head, head.getAttribute("aria-sort") === first ? second : first);
    });
    head.replaceChildren(button);
  }
}

// Trainings of one network, folded into their mean.

function makeFoldable(body, id) {
  const place = body.querySelector("[data-unfold]");
  if (!place) return;
  const trainings = [...body.rows].slice(1);
  const button = element("button", place.textContent, { type: "button" });
  const show = (shown) => {
    button.setAttribute("aria-expanded", String(shown));
    for (const row of trainings) row.hidden = !shown;
  };
  trainings.forEach((row, number) => { row.id = `${id}-training-${number + 1}`; });
  button.setAttribute("aria-controls", trainings.map((row) => row.id).join(" "));
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  place.replaceChildren(button);
  show(false);
}

// Filtering all leaderboards of a section.

function makeFilters(controls) {
  const section = controls.closest("section");
  const bodies = [...section.querySelectorAll("tbody[data-name]")];
  const name = controls.querySelector('[data-filter="name"]');
  const family = controls.querySelector('[data-filter="family"]');
  const count = controls.querySelector("[data-count]");
  const filter = () => {
    const wanted = name.value.trim().toLowerCase();
    for (const body of bodies) {
      const fits = body.dataset.name.toLowerCase().includes(wanted);
      body.hidden = !fits || Boolean(family?.value && body.dataset.family !== family.value);
    }
    const shown = bodies.filter((body) => !body.hidden).length;
    count.textContent = `${shown} of ${bodies.length} network${bodies.length === 1 ? "" : "s"}`;
  };
  name.addEventListener("input", filter);
  family?.addEventListener("change", filter);
  controls.querySelector("[data-show-intervals]").addEventListener("change", (event) => {
    section.classList.toggle("show-intervals", event.target.checked);
  });
  controls.hidden = false;
  filter();
}

// Light and dark: as the system says, or as chosen here until the page is left.

function makeThemes(button) {
  const themes = ["automatic", "light", "dark"];
  let current = 0;
  button.addEventListener("click", () => {
    current = (current + 1) % themes.length;
    if (current) document.documentElement.dataset.theme = themes[current];
    else delete document.documentElement.dataset.theme;
    button.textContent = `Colours: ${themes[current]}`;
  });
  button.hidden = false;
}

// A region that does not scroll is no stop on the way of the tabulator key.

function makeStops(regions) {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
      if (scrolls) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const region of regions) observer.observe(region);
}

document.querySelectorAll("[data-board]").forEach((table) => {
  makeSortable(table);
  [...table.tBodies].forEach((body, number) => makeFoldable(body, `${table.id}-${number + 1}`));
});
document.querySelectorAll("[data-controls]").forEach(makeFilters);
document.querySelectorAll(".theme").forEach(makeThemes);
makeStops(document.querySelectorAll(".scroll, .command"));
