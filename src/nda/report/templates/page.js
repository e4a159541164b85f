// Sorts and filters tables, enlarges pictures, and moves the threshold of scores. Without it the
// page is whole: everything that needs it is made or shown by it.
"use strict";
(() => {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  // --- tables: a click on a head sorts by its column, once more the other way, then as it was

  const seconds = { h: 3600, min: 60, s: 1 };
  const number = (text) => {
    const times = [...text.matchAll(/([\d.,]+) (h|min|s)\b/g)];
    if (times.length)
      return times.reduce((sum, [, count, unit]) => sum + count.replace(",", "") * seconds[unit], 0);
    const found = text.replace(/,(?=\d{3})/g, "").replace(/[−–]/g, "-").match(/-?\.?\d[\d.]*(e[-+]?\d+)?/i);
    return found ? parseFloat(found[0]) : NaN;
  };

  // All of a cell: a number with its unit, spread or interval; no name that begins with one.
  const numeric = /^[<≤>≥~+−–-]?\s*\.?\d([\d.,%±+−–()[\]\s×:/-]|e[-+]?\d|\b(h|min|s|ms|of|to|bits?|[KMG]i?B|pixels?)\b)*$/i;

  const compare = (values) => {
    const known = values.filter((value) => value && value !== "–");
    if (known.length && known.every((value) => numeric.test(value)))
      return (a, b) => number(a) - number(b);
    return (a, b) => a.localeCompare(b, "en", { numeric: true });
  };

  const sortable = (table) => {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const order = [...body.rows];
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = make("button", { type: "button", className: "sort" }, ...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const now = head.ariaSort, next = { ascending: "descending", descending: null }[now];
        const way = now ? next : "ascending";
        heads.forEach((other) => (other.ariaSort = null));
        head.ariaSort = way;
        if (!way) return body.append(...order);
        const text = (row) => row.cells.length === heads.length ? row.cells[column].innerText.trim() : "";
        const values = new Map(order.map((row) => [row, text(row)]));
        const by = compare([...values.values()]), sign = way === "ascending" ? 1 : -1;
        const empty = (row) => !values.get(row) || values.get(row) === "–";  // last, either way
        body.append(...order.toSorted((a, b) =>
          empty(a) - empty(b) || sign * by(values.get(a), values.get(b))));
      });
    });
  };

  const filterable = (table) => {
    const rows = [...table.tBodies[0].rows], count = make("span", { className: "soft" });
    const input = make("input", { type: "search", placeholder: "filter rows" });
    input.ariaLabel = "Filter the rows of this table";
    count.ariaLive = "polite";
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(wanted)));
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = wanted ? `${left} of ${rows.length} rows` : "";
    });
    (table.closest(".scroll") || table).before(make("div", { className: "controls" }, input, count));
  };

  for (const table of document.querySelectorAll("table")) {
    const rows = table.tBodies[0] ? table.tBodies[0].rows.length : 0;
    const plain = table.tHead && !table.querySelector("tr.protocol");
    if (plain && rows > 1) sortable(table);
    if (plain && rows > 8) filterable(table);
  }

  // --- pictures: a click, Enter or Space enlarges one; Escape or a click puts it back

  const shown = make("img", { alt: "" }), words = make("figcaption");
  const close = make("button", { type: "button" }, "Close");
  const original = make("a", {}, "Open the original");  // of a scored image
  const dialog = make("dialog", { className: "enlarged" },
    make("figure", {}, shown, words), make("form", { method: "dialog" }, original, close));
  dialog.addEventListener("click", () => dialog.close());

  const enlarge = (picture) => {
    const { naturalWidth: width, naturalHeight: height } = picture;
    const most = Math.min(innerWidth * 0.9 / width, innerHeight * 0.75 / height);
    const times = most > 2 ? Math.min(Math.floor(most), 8) : most;  // whole pixels where they are few
    Object.assign(shown, { src: picture.src, alt: picture.alt });
    Object.assign(shown.style, { width: `${width * times}px`, height: `${height * times}px` });
    shown.style.imageRendering = times > 2 ? "pixelated" : "auto";
    words.textContent = picture.alt;
    dialog.ariaLabel = picture.alt;
    const file = picture.closest(".scored")?.querySelector("a");
    original.hidden = !file;
    if (file) original.href = file.href;
    dialog.showModal();
  };

  for (const picture of document.querySelectorAll("img")) {
    Object.assign(picture, { role: "button", tabIndex: 0, title: "enlarge" });
    picture.classList.add("enlarges");
  }
  const chosen = (event) => event.target.matches("img.enlarges") ? event.target : null;
  document.addEventListener("click", (event) => chosen(event) && enlarge(chosen(event)));
  document.addEventListener("keydown", (event) => {
    if (!chosen(event) || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    enlarge(chosen(event));
  });
  document.body.append(dialog);

  // --- scores: another threshold and what it promises, and the cards of one verdict

  const controls = document.querySelector(".threshold");
  if (!controls) return;
  const slider = controls.querySelector("input[type=range]"), said = controls.querySelector("output");
  const choices = [...controls.querySelectorAll("input[type=radio]")];
  const none = document.querySelector(".none"), of = controls.dataset.counts;  // such as images
  const steps = JSON.parse(controls.dataset.steps);  // [rank, what it promises, place on the curves] from few to many
  // Verdicts are those that were given until the slider moves; some follow no rate, and have none.
  const verdictOf = (card) => {
    if (!slider || slider.value === slider.defaultValue) return card.dataset.verdict;
    return Number(card.dataset.rank) <= steps[slider.value][0] ? "anomalous" : "normal";
  };
  const update = () => {
    const cards = [...document.querySelectorAll(".scored")];
    const wanted = choices.find((choice) => choice.checked).value;
    for (const card of cards) {
      const verdict = verdictOf(card);
      card.classList.remove("anomalous", "normal");
      card.classList.add(verdict);
      card.querySelector(".verdict").textContent = verdict;
      card.hidden = wanted !== "all" && wanted !== verdict;
    }
    none.hidden = !cards.length || cards.some((card) => !card.hidden);
    if (!slider) return;
    for (const dot of document.querySelectorAll(".dot")) {
      const [across, left, width, up, foot, height] = dot.dataset.place.split(" ").map(Number);
      const marks = steps[slider.value][2];
      dot.setAttribute("cx", left + width * marks[across]);
      dot.setAttribute("cy", foot + height * marks[up]);
    }
    const flagged = cards.filter((card) => card.classList.contains("anomalous")).length;
    said.textContent = steps[slider.value][1] + (of ? ` ${flagged} of ${cards.length} ${of} flagged.` : "");
    slider.ariaValueText = said.textContent;
  };
  controls.addEventListener("input", update);
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.hidden = false;
  update();
})();
