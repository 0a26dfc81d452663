/* The book's own script: the choice of halves, buttons that copy code, and a field that finds rows of the
   dictionary. Without it the pages show everything. */

"use strict";

(() => {
  const KEY = "sidebyside-pairs";
  const CHOICES = ["both", "r", "python"];

  /* Some browsers store nothing for pages that are files. There the choice lasts as long as the page. */
  const remembered = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const remember = (choice) => {
    try { localStorage.setItem(KEY, choice); } catch { /* see above */ }
  };

  const show = (choice) => { document.documentElement.dataset.pairs = choice; };

  /* Do it now, before the first cell is drawn. */
  show(CHOICES.includes(remembered()) ? remembered() : "both");

  function startSwitch() {
    const choices = [...document.querySelectorAll(".pairs-switch input")];
    const check = () => {
      for (const input of choices) input.checked = input.value === document.documentElement.dataset.pairs;
    };
    for (const input of choices) {
      input.addEventListener("change", () => {
        /* Keep the top of the window in place when cells above it appear or disappear. */
        const seen = firstInSight();
        const before = seen?.getBoundingClientRect().top;
        show(input.value);
        remember(input.value);
        const after = seen?.getBoundingClientRect();
        if (after?.height) scrollBy({top: after.top - before, behavior: "instant"});
      });
    }
    check();
    /* Follow a choice that was made on another open page. */
    addEventListener("storage", (event) => {
      if (event.key !== KEY || !CHOICES.includes(event.newValue)) return;
      show(event.newValue);
      check();
    });
  }

  /* The first visible cell or heading that no choice hides. */
  function firstInSight() {
    return [...document.querySelectorAll(".bd-article :is(h1, h2, h3, .cell:not(.tag_pair))")]
      .find((element) => element.getBoundingClientRect().top >= 0);
  }

  /* ---- Copy */

  /* R code without the line %%R, so that it can be pasted into R. */
  const codeOf = (box) => box.querySelector("pre").textContent.replace(/^%%R\b[^\n]*\n/, "").replace(/\n$/, "");

  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    /* A page that was loaded by plain http has no clipboard. */
    const before = document.activeElement;
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus(); /* otherwise the Tab key starts again at the top of the page */
    if (!done) throw new Error("the browser does not let this page copy");
  }

  function addCopyButtons() {
    const says = document.createElement("div");
    says.className = "only-said";
    says.setAttribute("role", "status");
    document.body.append(says);
    for (const box of document.querySelectorAll(".bd-main div[class*='highlight-']")) {
      if (box.closest(".cell_output") || !box.querySelector("pre")) continue;
      const cell = box.closest(".cell");
      const half = cell?.classList.contains("tag_pair");
      const language = cell && (cell.classList.contains("tag_r") ? "R" : "Python");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy-code";
      button.textContent = "Copy";
      button.setAttribute("aria-label", half ? `Copy ${language} code` : "Copy code");
      let back;
      button.addEventListener("click", async () => {
        try {
          await copy(codeOf(box));
          button.textContent = "Copied";
        } catch {
          button.textContent = "Not copied";
        }
        says.textContent = button.textContent;
        clearTimeout(back);
        back = setTimeout(() => { button.textContent = "Copy"; says.textContent = ""; }, 2000);
      });
      (cell ?? box).classList.add("has-copy");
      /* Before the code, so that the Tab key reaches it first. */
      (half ? cell : box).prepend(button);
    }
  }

  /* ---- The dictionary */

  function startFilter() {
    const tables = [...document.querySelectorAll("table.dictionary")];
    if (!tables.length) return;
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
    const words = rows.map((row) => row.textContent.toLowerCase());
    const form = document.createElement("form");
    form.className = "dictionary-filter";
    form.setAttribute("role", "search");
    form.innerHTML = `<label for="dictionary-find">Find in the tables</label>
      <input id="dictionary-find" type="search" autocomplete="off" spellcheck="false" placeholder="dropout">
      <span role="status"></span>`;
    const [field, says] = [form.querySelector("input"), form.querySelector("span")];
    const find = () => {
      const wanted = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      rows.forEach((row, i) => {
        row.hidden = !wanted.every((word) => words[i].includes(word));
        found += !row.hidden;
      });
      for (const table of tables) table.hidden = [...table.tBodies[0].rows].every((row) => row.hidden);
      says.textContent = wanted.length ? `${found} of ${rows.length} rows` : `${rows.length} rows`;
    };
    field.addEventListener("input", find);
    form.addEventListener("submit", (event) => event.preventDefault());
    const first = tables[0].closest("section");
    first.before(form);
    find();
  }

  addEventListener("DOMContentLoaded", () => {
    startSwitch();
    addCopyButtons();
    startFilter();
  });
})();
