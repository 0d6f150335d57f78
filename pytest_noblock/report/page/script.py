"""The script of the page: it filters and sorts. Nothing needs it: what it acts by, it makes itself."""

SCRIPT = """
"use strict";
for (const section of document.querySelectorAll("#lines,#requests,#routes")) {
  const items = [...section.querySelectorAll(".item,tbody tr")];
  if (items.length < 8) continue;
  const label = document.createElement("label"), input = document.createElement("input");
  label.className = "filter";
  input.type = "search";
  label.append("Filter: ", input);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(wanted);
  });
  section.querySelector("h2").after(label);
}
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[place].textContent;
      const number = (row) => parseFloat(value(row).replace(/,/g, ""));
      const compare = (a, b) =>
        place >= 2 && place <= 5 ? (number(a) || 0) - (number(b) || 0) : value(a).localeCompare(value(b));
      body.append(...[...body.rows].sort((a, b) => (down ? compare(b, a) : compare(a, b))));
    });
  });
}
"""
