// Sorting, filtering, and what each figure is. Without this script the page has all its tables and pictures, and no controls.
"use strict";
(() => {
  const tables = [...document.querySelectorAll("table")];
  const tip = document.getElementById("tip");

  // A table is one stop of the tab key, and the arrow keys go from cell to cell.
  const rowsOf = (table) => [...table.rows].filter((row) => !row.hidden);
  const stop = (cell) => cell.querySelector("button") ?? cell;
  const cellOf = (element) => element.closest("th, td");

  function enter(table, target) {
    for (const old of table.querySelectorAll('[tabindex="0"]')) old.tabIndex = -1;
    target.tabIndex = 0;
  }

  function move(table, event) {
    const cell = cellOf(event.target);
    if (!cell) return;
    const rows = rowsOf(table);
    const [row, column] = [rows.indexOf(cell.parentElement), cell.cellIndex];
    const [lastRow, lastColumn] = [rows.length - 1, cell.parentElement.cells.length - 1];
    const all = event.ctrlKey;
    const to = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [all ? 0 : row, 0],
      End: [all ? lastRow : row, lastColumn],
    }[event.key];
    const next = to && rows[to[0]]?.cells[to[1]];
    if (!to || event.altKey || event.metaKey) return;
    event.preventDefault();
    if (next) stop(next).focus();
  }

  // Rising, falling, and as it was.
  function sort(table, head) {
    const was = head.getAttribute("aria-sort");
    const now = was === "ascending" ? "descending" : was === "descending" ? null : "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    if (now) head.setAttribute("aria-sort", now);
    const column = head.cellIndex;
    const isNumber = head.classList.contains("number");
    const text = (row) => row.cells[column].textContent;
    const number = (row) => (isNumber ? parseFloat(row.cells[column].dataset.value ?? "NaN") : NaN);
    const sign = now === "descending" ? -1 : 1;
    const order = (a, b) => {
      if (!now) return a.dataset.place - b.dataset.place;
      const [x, y] = [number(a), number(b)];
      // Among numbers, what has none comes last, whichever way the others go.
      if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (Number.isNaN(x) ? text(a).localeCompare(text(b), "en", { numeric: true }) : x - y);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }

  // The tip: the row, the column, the figure, and what the column means.
  let leaving;
  let shown;

  function show(cell, focused) {
    const table = cell.closest("table");
    const head = table.tHead.rows[0].cells[cell.cellIndex];
    const name = cell.parentElement.querySelector('th[scope="row"]');
    const title = document.createElement("strong");
    title.textContent = cell.tagName === "TD" ? `${name.textContent}, ${head.textContent}: ${cell.textContent}` : head.textContent;
    tip.replaceChildren(title, head.dataset.means ?? "");
    clearTimeout(leaving);
    shown?.removeAttribute("aria-describedby");
    shown = focused ?? null;
    shown?.setAttribute("aria-describedby", "tip");
    tip.hidden = false;
    tip.cell = cell;
    place();
  }

  function place() {
    if (tip.hidden) return;
    const at = tip.cell.getBoundingClientRect();
    const [above, below] = [at.top - tip.offsetHeight - 6, at.bottom + 6];
    // Below a head are the figures that are being sorted.
    const isBelow = tip.cell.tagName === "TD" ? below + tip.offsetHeight < innerHeight : above < 0;
    tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${isBelow ? below : Math.max(8, above)}px`;
  }

  function hide() {
    clearTimeout(leaving);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  }

  // Whoever looks closer moves onto the tip itself, which must not go away meanwhile.
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200);
  };
  const explained = (cell) => cell && (cell.tagName === "TD" || cell.scope === "col");

  for (const table of tables) {
    table.parentElement.removeAttribute("tabindex");
    table.setAttribute("role", "grid");
    [...table.tBodies[0].rows].forEach((row, place) => (row.dataset.place = place));
    for (const head of table.tHead.rows[0].cells) {
      head.dataset.means = head.title;
      head.removeAttribute("title");
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head));
    }
    for (const row of table.rows) for (const cell of row.cells) stop(cell).tabIndex = -1;
    stop(table.rows[0].cells[0]).tabIndex = 0;
    table.addEventListener("keydown", (event) => move(table, event));
    table.addEventListener("focusin", (event) => {
      const cell = cellOf(event.target);
      enter(table, stop(cell));
      explained(cell) ? show(cell, event.target) : hide();
    });
    table.addEventListener("focusout", leave);
    table.addEventListener("mouseover", (event) => {
      const cell = cellOf(event.target);
      if (explained(cell)) show(cell, document.activeElement === stop(cell) ? stop(cell) : undefined);
    });
    table.addEventListener("mouseleave", leave);
  }
  tip.addEventListener("mouseenter", () => clearTimeout(leaving));
  tip.addEventListener("mouseleave", leave);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", place, { capture: true, passive: true });
  addEventListener("resize", place);

  // One filter for all tables, by the name of the row.
  const form = document.querySelector(".filter");
  const [input, status] = [form.querySelector("input"), form.querySelector("[role=status]")];
  function filter() {
    const wanted = input.value.trim().toLowerCase();
    let [seen, all] = [0, 0];
    for (const table of tables) {
      let here = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !row.querySelector('th[scope="row"]').textContent.toLowerCase().includes(wanted);
        here += row.hidden ? 0 : 1;
        all += 1;
      }
      seen += here;
      table.parentElement.classList.toggle("empty", here === 0);
      // The cell that the tab key goes to may be gone.
      if (!rowsOf(table).some((row) => row.querySelector('[tabindex="0"]') || row.tabIndex === 0)) {
        enter(table, stop(table.rows[0].cells[0]));
      }
    }
    status.textContent = wanted ? `${seen} of ${all} rows` : "";
  }
  input.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
