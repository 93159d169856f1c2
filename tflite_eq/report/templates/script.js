"use strict";
(() => {
  const table = document.getElementById("layer-table");
  const body = table.tBodies[0];
  const headings = [...table.querySelectorAll("th[data-sort]")];

  const key = (row, column) => row.cells[column].dataset.v;

  function compare(kind, column, direction) {
    if (kind === "text") {
      return (a, b) => direction * key(a, column).localeCompare(key(b, column));
    }
    const number = (row) => {
      const value = Number(key(row, column));
      return Number.isNaN(value) ? -Infinity : value;
    };
    return (a, b) => direction * (number(a) - number(b) || 0);
  }

  function sort(heading) {
    const isDescending = heading.getAttribute("aria-sort") !== "descending" &&
      (heading.hasAttribute("aria-sort") || heading.cellIndex > 1);
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    const order = compare(heading.dataset.sort, heading.cellIndex, isDescending ? -1 : 1);
    body.append(...[...body.rows].sort(order));
  }

  headings.forEach((heading) => {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  });

  document.getElementById("filter").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.dataset.name.includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    document.getElementById("filter-result").textContent =
      wanted ? `${shown} of ${body.rows.length} layers` : "";
  });

  function openLinked() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", openLinked);
  openLinked();
  // A second click on the same link changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element && event.target.closest('a[href^="#layer-"]');
    if (link && link.getAttribute("href") === location.hash) openLinked();
  });

  const openAll = document.getElementById("open-all");
  if (openAll) {
    const layers = [...document.querySelectorAll("details.layer")];
    openAll.hidden = false;
    openAll.addEventListener("click", () => {
      const opens = layers.some((layer) => !layer.open);
      layers.forEach((layer) => { layer.open = opens; });
      openAll.textContent = opens ? "Close all" : "Open all";
    });
  }
  // Closed details would be left out on paper.
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
  });
})();
