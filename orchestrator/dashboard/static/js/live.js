// What moves on every page: parts that htmx loads again are announced, forms that cannot be taken back ask first.
"use strict";

(() => {
  const announcer = document.getElementById("announcer");
  const saidOf = new Map();

  /** Tell those who do not see the page, once for each change and not for each look. */
  function announce(place) {
    const text = place.dataset.announce;
    if (saidOf.get(place.id) !== undefined && saidOf.get(place.id) !== text) announcer.textContent = text;
    saidOf.set(place.id, text);
  }

  function look(root) {
    if (root.matches?.("[data-announce]")) announce(root);
    root.querySelectorAll?.("[data-announce]").forEach(announce);
  }

  document.addEventListener("htmx:afterSettle", (event) => look(event.detail.elt));
  look(document);

  // A part that is being used is not replaced under the hands of whoever uses it.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    if (part.contains(document.activeElement) && part !== document.activeElement && event.detail.requestConfig.verb === "get" && part.id === "gallery") {
      event.preventDefault();
    }
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // On a narrow screen the pages' names are wider than it is.
  document.querySelector(".side [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

  // A picture that cannot be shown says so by its alternative text; the browser's torn icon adds nothing.
  document.addEventListener("error", (event) => event.target.classList?.add("missing"), true);
})();
