"use strict";
// Sorts and filters the table of datasets. Without this script the table is whole, in the order of the configuration.
(() => {
  const table = document.getElementById("datasets");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headers = [...table.tHead.rows[0].cells];
  const words = document.getElementById("find");
  const outcome = document.getElementById("outcome");
  const quality = document.getElementById("quality");
  const collator = new Intl.Collator("en", { numeric: true });

  function compare(a, b) {
    if (!isNaN(a) && !isNaN(b)) return Number(a) - Number(b);
    return collator.compare(a, b);
  }

  // What has no value comes last in both directions.
  function sort(header) {
    const column = headers.indexOf(header);
    const direction = header.ariaSort === "ascending" ? "descending" : "ascending";
    headers.forEach(other => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", direction);
    const key = row => row.cells[column]?.dataset.sort ?? "";
    rows.sort((first, second) => {
      const a = key(first), b = key(second);
      if (a === "" || b === "") return (a === "") - (b === "");
      return direction === "ascending" ? compare(a, b) : compare(b, a);
    });
    body.append(...rows);
  }

  function filter() {
    const wanted = words.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = row.textContent.toLowerCase().includes(wanted)
        && (!outcome.value || row.dataset.state === outcome.value)
        && (!quality.value || row.dataset.verdict === quality.value);
      row.hidden = !fits;
      shown += fits;
    }
    document.getElementById("shown").value = `${shown} of ${rows.length} datasets`;
  }

  headers.slice(1).forEach(header => header.firstElementChild.addEventListener("click", () => sort(header)));
  words.addEventListener("input", filter);
  outcome.addEventListener("change", filter);
  quality.addEventListener("change", filter);
  // What a browser has kept in the fields from an earlier visit.
  if (words.value || outcome.value || quality.value) filter();
})();
