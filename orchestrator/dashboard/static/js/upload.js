// Sends what was dropped or chosen to the API, a few files at a time, then has it labelled and shows the job.
"use strict";

(() => {
  const MAX_FILES = 100;
  const MAX_BYTES = 16 * 1024 * 1024;
  const form = document.getElementById("upload");
  const drop = document.getElementById("drop");
  const files = document.getElementById("files");
  const folder = document.getElementById("folder");
  const problem = document.getElementById("upload-problem");
  const bar = document.getElementById("sending-bar");
  const text = document.getElementById("sending-text");
  let isBusy = false;

  function sleep(seconds) {
    return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }

  /** Send one request; `onProgress` is told how many of its bytes are gone. */
  function send(path, body, headers, onProgress = () => {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", path);
      Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
      request.upload.addEventListener("progress", (event) => onProgress(event.loaded));
      request.addEventListener("error", () => reject(new Error("The server does not answer. Is it still running?")));
      request.addEventListener("load", () => resolve(request));
      request.send(body);
    });
  }

  async function ask(path, body, headers = {}, onProgress) {
    for (;;) {
      const answer = await send(path, body, headers, onProgress);
      if (answer.status === 429) {
        await sleep(Number(answer.getResponseHeader("Retry-After")) || 5);
        continue;
      }
      if (answer.status >= 200 && answer.status < 300) return JSON.parse(answer.responseText);
      throw new Error(detailOf(answer));
    }
  }

  function detailOf(answer) {
    try {
      return JSON.parse(answer.responseText).detail;
    } catch {
      return `The server answered ${answer.status}.`;
    }
  }

  function askJson(path, value) {
    return ask(path, JSON.stringify(value), { "Content-Type": "application/json" });
  }

  function* batches(picked) {
    let batch = [], numBytes = 0;
    for (const one of picked) {
      if (batch.length && (batch.length === MAX_FILES || numBytes + one.file.size > MAX_BYTES)) {
        yield batch;
        [batch, numBytes] = [[], 0];
      }
      batch.push(one);
      numBytes += one.file.size;
    }
    if (batch.length) yield batch;
  }

  function nameOf(picked) {
    const first = picked[0].path.split("/")[0];
    const isOneFolder = picked.every((one) => one.path.startsWith(`${first}/`));
    const others = picked.length > 1 && !isOneFolder ? ` and ${picked.length - 1} more` : "";
    return first.slice(0, 150) + others;
  }

  function show(numSent, numBytes, done, total) {
    bar.max = Math.max(total, 1);
    bar.value = numBytes;
    text.textContent = `Sending: ${done} of ${numSent} files.`;
  }

  async function upload(picked) {
    const total = picked.reduce((sum, one) => sum + one.file.size, 0);
    const name = nameOf(picked);
    const made = await askJson("/api/v1/uploads", { name });
    let sentBytes = 0, sentFiles = 0;
    show(picked.length, 0, 0, total);
    for (const batch of batches(picked)) {
      const body = new FormData();
      batch.forEach((one) => body.append("files", one.file, one.path));
      await ask(`/api/v1/uploads/${made.id}/files`, body, {}, (loaded) => show(picked.length, sentBytes + loaded, sentFiles, total));
      sentBytes += batch.reduce((sum, one) => sum + one.file.size, 0);
      sentFiles += batch.length;
      show(picked.length, sentBytes, sentFiles, total);
    }
    text.textContent = "All sent; beginning to label.";
    const job = await askJson("/api/v1/jobs", { sources: [made.source], models: [form.elements.model.value], name });
    location.assign(`/jobs/${job.job_id}?done=submitted`);
  }

  function fail(error) {
    problem.textContent = error.message;
    problem.hidden = false;
    document.getElementById("sending").hidden = true;
  }

  async function begin(pick) {
    if (isBusy) return;
    isBusy = true;
    problem.hidden = true;
    document.getElementById("sending").hidden = false;
    document.getElementById("send").disabled = true;
    try {
      const picked = await pick();
      if (!picked.length) throw new Error("No file was chosen. Choose some, or drop them here.");
      await upload(picked);
    } catch (error) {
      fail(error);
      isBusy = false;
      document.getElementById("send").disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(async () => picking.fromInputs(files, folder));
  });
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("is-over");
    });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const picked = picking.fromDrop(event.dataTransfer);
    begin(() => picked);
  });
  // A file that is dropped beside the place must not replace the page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  document.getElementById("drop-hint").hidden = false;
  document.getElementById("folder-field").hidden = false;
})();
