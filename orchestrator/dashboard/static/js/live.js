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

  // A part that is being used is not replaced under the hands of whoever uses it. In the others, what has the focus has
  // an id, by which htmx gives it back.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    const isInUse = part.contains(document.activeElement) || part.querySelector("details[open]");
    if (part.matches("[data-hold]") && isInUse) event.preventDefault();
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // On a narrow screen the pages' names are wider than it is. Scrolled by hand: `scrollIntoView` would have Tab begin there.
  const here = document.querySelector(".side [aria-current]");
  if (here) {
    const names = here.closest("nav");
    names.scrollLeft = here.offsetLeft - names.offsetLeft - (names.clientWidth - here.offsetWidth) / 2;
  }

  /** Why there is no class-activation map, in the server's words. */
  async function explain(picture) {
    const answer = await fetch(picture.src);
    const problem = await answer.json().catch(() => ({ detail: `The server answered ${answer.status}.` }));
    const note = document.createElement("p");
    note.className = "note";
    note.textContent = problem.detail;
    picture.replaceWith(note);
  }

  /** Say that a class-activation map takes a while, until it is there. */
  function tellOfComputing(root) {
    const picture = root.querySelector?.("img[data-explains]");
    if (!picture || picture.complete || picture.matches(".is-computing")) return;
    const note = document.createElement("p");
    note.className = "muted";
    note.textContent = announcer.textContent = "Computing…";
    picture.before(note);
    picture.classList.add("is-computing");
    const end = () => {
      note.remove();
      picture.classList.remove("is-computing");
    };
    picture.addEventListener("load", end);
    picture.addEventListener("error", end);
  }
  document.addEventListener("htmx:afterSettle", () => tellOfComputing(document));
  tellOfComputing(document);

  // A job that has just ended: its images are looked at once more, and nobody needs to hear that it is accepted.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id !== "progress" || !["done", "failed", "cancelled"].includes(event.detail.elt.dataset.state)) return;
    if (new URLSearchParams(location.search).get("done") === "submitted") document.querySelector(".said")?.remove();
    htmx.trigger(document.body, "job-ended");
  });

  // Errors of pictures do not bubble.
  document.addEventListener(
    "error",
    (event) => {
      if (event.target.matches?.("img[data-explains]")) explain(event.target);
      event.target.classList?.add("missing");
    },
    true,
  );
})();
