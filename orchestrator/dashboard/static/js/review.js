// The review screen: one image at a time, keys choose, the next images are loaded before they are wanted.
"use strict";

(() => {
  const UNDO_MS = 5000;
  const FETCH_BELOW = 8;
  const NUM_PRELOADED = 5;
  const NUM_KEYS = 9;
  const place = document.getElementById("review");
  const order = JSON.parse(place.dataset.order);
  const classes = JSON.parse(place.dataset.classes);
  const byId = (id) => document.getElementById(id);
  const recent = [];
  const preloaded = new Map();
  let lastWord = "";

  async function ask(path, body, options = {}) {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), ...options });
    if (answer.ok) return answer.json();
    if (answer.status === 401) location.assign("/login");
    const problem = await answer.json().catch(() => ({ detail: `The server answered ${answer.status}.` }));
    throw Object.assign(new Error(problem.detail), { status: answer.status });
  }

  const port = {
    async fetchMore() {
      try {
        return await ask("/api/v1/review/next", order);
      } catch (error) {
        // Nothing left, or nothing to begin with: the server says which.
        if (error.status !== 409) throw error;
        lastWord = error.message;
        return [];
      }
    },
    send: (image, label) =>
      // Named by its content, which means it whatever it is called.
      ask("/api/v1/labels", { model: order.model, labels: [{ image: image.sha256, sha256: image.sha256, label }], new_classes: image.isNew ? "add" : "ask" }, { keepalive: true }),
    fail: (error) => complain(error),
    changed: () => showTally(),
  };
  const queue = new ReviewQueue(JSON.parse(place.dataset.images), port, UNDO_MS);

  /** Text in which what is to be typed stands between backticks. */
  function prose(text) {
    return text.split("`").map((part, place) => (place % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
  }

  /** What is on the screen already is said only to those who do not see it. */
  function say(text, isUnseen = false) {
    byId("review-status").classList.toggle("unseen", isUnseen);
    byId("review-status").replaceChildren(...prose(text));
  }

  function complain(error) {
    const problem = byId("review-problem");
    const again = document.createElement("button");
    again.className = "quiet";
    again.textContent = "Send again";
    again.addEventListener("click", () => {
      problem.hidden = true;
      queue.sendAgain();
    });
    problem.replaceChildren("Not written: ", ...prose(`${error.message} `), ...(queue.failed.length ? [again] : []));
    problem.hidden = false;
  }

  function showTally() {
    const { answered, skipped, left } = queue.counts;
    byId("tally").textContent = `${answered} answered, ${skipped} skipped, ${left} at hand`;
  }

  function urlOf(image) {
    return `/api/v1/jobs/${image.job_id}/images/${image.ordinal}/thumbnail?size=640`;
  }

  function preload() {
    for (const image of queue.next.slice(0, NUM_PRELOADED)) {
      if (preloaded.has(image.sha256)) continue;
      const picture = new Image();
      picture.src = urlOf(image);
      preloaded.set(image.sha256, picture);
    }
  }

  /** Few classes keep their keys; of many, the likeliest and those that were chosen last have one. */
  function keysFor(image) {
    if (classes.length <= NUM_KEYS) return classes;
    const likely = [image.label, image.second, ...recent, ...classes].filter((name) => classes.includes(name));
    return [...new Set(likely)].slice(0, NUM_KEYS);
  }

  function keyButton(name, number, image) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const key = document.createElement("kbd");
    const text = document.createElement("span");
    key.textContent = number + 1;
    text.textContent = name;
    button.className = "quiet";
    if (image.answer === name) button.setAttribute("aria-pressed", "true");
    button.append(key, text);
    button.addEventListener("click", () => choose(name));
    item.append(button);
    return item;
  }

  /** The buttons are made anew; the focus stays where it was among them. */
  function showKeys(image) {
    const list = byId("classes");
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    list.replaceChildren(...keysFor(image).map((name, number) => keyButton(name, number, image)));
    if (focused !== -1) (list.children[focused] ?? list.lastChild).querySelector("button").focus();
  }

  function percent(share) {
    return share == null ? "" : ` (${(share * 100).toFixed(1)}%)`;
  }

  function show() {
    const image = queue.current;
    place.hidden = image === null;
    showTally();
    if (image === null) return sayEnd();
    const tail = image.image.split("/").pop();
    byId("shown").src = urlOf(image);
    byId("shown").alt = tail;
    byId("shown-name").textContent = image.image;
    byId("says").textContent = `${image.model} says ${image.label}${percent(image.score)}${image.second ? `, else ${image.second}` : ""}.`;
    showKeys(image);
    byId("right").disabled = image.label == null;
    byId("undo").disabled = !queue.waiting && queue.position === 0;
    preload();
    const before = image.answer ? ` You said ${image.answer}; another answer counts instead.` : "";
    const waits = queue.waiting ? `${queue.waiting.image.answer} is not sent yet; u takes it back. ` : "";
    say(`${waits}Now ${tail}; the model says ${image.label}.${before}`, !waits && !before);
  }

  async function refresh() {
    show();
    if (queue.counts.left >= FETCH_BELOW || queue.isExhausted) return;
    try {
      await queue.fetchMore();
    } catch (error) {
      complain(error);
      return;
    }
    if (place.hidden) show();
    showTally();
    preload();
  }

  function sayEnd() {
    if (byId("review-end")) byId("review-end").hidden = !queue.isExhausted;
    const undo = queue.waiting ? " The last answer is not sent yet; u takes it back." : "";
    say(queue.isExhausted ? `That was all. ${lastWord}${undo}` : `Choosing images…${undo}`);
  }

  function choose(name, isNew = false) {
    if (!queue.current) return;
    recent.unshift(name);
    queue.answer(name, isNew);
    refresh();
  }

  const acts = {
    s: () => queue.current && (queue.skip(), refresh()),
    u: () => (queue.undo(), show()),
    "/": () => byId("other").focus(),
    Enter: () => queue.current?.label != null && choose(queue.current.label),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.matches("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    // A button or link that has the focus keeps its own Enter.
    if (event.key === "Enter" && event.target.matches("button, a, summary")) return;
    const name = queue.current && /^[1-9]$/.test(event.key) ? keysFor(queue.current)[event.key - 1] : undefined;
    const act = name === undefined ? acts[event.key] : () => choose(name);
    if (!act) return;
    event.preventDefault();
    act();
  });

  byId("typed").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("other").value.trim();
    const isNew = !classes.includes(name);
    if (!name || (isNew && !window.confirm(`${order.model} has no class ${name}. Add it?`))) return;
    if (isNew) classes.push(name);
    byId("other").value = "";
    byId("other").blur();
    choose(name, isNew);
  });
  byId("right").addEventListener("click", acts.Enter);
  byId("skip").addEventListener("click", acts.s);
  byId("undo").addEventListener("click", acts.u);
  window.addEventListener("pagehide", () => queue.flush());

  byId("undo-s").textContent = UNDO_MS / 1000;
  byId("all-classes").replaceChildren(...classes.map((name) => Object.assign(document.createElement("option"), { value: name })));
  refresh();
})();
