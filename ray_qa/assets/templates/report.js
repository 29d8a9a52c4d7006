// Search, filters and order of the rows. All texts stay texts: nothing here writes HTML or runs what it reads.
(() => {
  "use strict";
  const AT_ONCE = 25;
  const byId = (id) => document.getElementById(id);
  const body = byId("rows");
  if (!body) return;
  const rows = [...body.rows].map((row, place) => ({
    row, place, text: row.textContent.toLowerCase(), of: row.dataset,
  }));
  const search = byId("search"), order = byId("order");
  const filters = [...document.querySelectorAll("select[data-of]")];
  const more = byId("more"), clear = byId("clear"), found = byId("found"), nothing = byId("nothing");
  let room = AT_ONCE;

  const number = (text) => (text === "" ? NaN : Number(text));
  const rising = (name, sign) => (a, b) => {
    const one = sign * number(a.of[name]), other = sign * number(b.of[name]);
    return (Number.isNaN(one) - Number.isNaN(other)) || one - other || a.place - b.place;
  };
  const ORDERS = {
    closest: (a, b) => a.place - b.place,
    "margin-up": rising("margin", 1), "margin-down": rising("margin", -1),
    "confidence-up": rising("confidence", 1), "confidence-down": rising("confidence", -1),
    input: rising("row", 1),
  };

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (each) => words.every((word) => each.text.includes(word)) &&
      filters.every((filter) => filter.value === "" || each.of[filter.dataset.of] === filter.value);
    const fitting = rows.filter(fits).sort(ORDERS[order.value]);
    const shown = new Set(fitting.slice(0, room));
    for (const each of rows) each.row.hidden = !shown.has(each);
    body.append(...[...shown].map((each) => each.row));
    found.textContent = `${fitting.length} of ${rows.length} rows`;
    more.hidden = fitting.length <= room;
    more.textContent = `Show ${Math.min(AT_ONCE, fitting.length - room)} more`;
    nothing.hidden = fitting.length > 0;
    clear.hidden = words.length === 0 && filters.every((filter) => filter.value === "");
  }
  function again() { room = AT_ONCE; show(); }

  for (const control of [order, ...filters]) control.addEventListener("change", again);
  search.addEventListener("input", again);
  more.addEventListener("click", () => { room += AT_ONCE; show(); });
  clear.addEventListener("click", () => {
    search.value = "";
    for (const filter of filters) filter.value = "";
    again();
    search.focus();
  });
  for (const button of document.querySelectorAll("button[data-reason]")) {
    button.addEventListener("click", () => {
      for (const filter of filters) filter.value = filter.dataset.of === "reason" ? button.dataset.reason : "";
      search.value = "";
      again();
      byId("look").scrollIntoView();
    });
  }
  byId("controls").hidden = false;
  show();
})();
