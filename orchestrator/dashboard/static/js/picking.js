// What was dropped or chosen, as a list of files with the paths that they had: folders are gone through.
"use strict";

const picking = (() => {
  function fileOf(entry) {
    return new Promise((resolve, reject) => entry.file(resolve, reject));
  }

  /** A reader hands out a hundred entries at a time, and none when there are no more. */
  async function entriesOf(folder) {
    const reader = folder.createReader();
    const all = [];
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return all;
      all.push(...some);
    }
  }

  async function walk(entry, path, found) {
    if (entry.isFile) {
      found.push({ file: await fileOf(entry), path: path + entry.name });
      return;
    }
    for (const each of await entriesOf(entry)) await walk(each, `${path}${entry.name}/`, found);
  }

  async function fromDrop(transfer) {
    // The list is emptied as soon as the event is over, so all entries are taken before anything is waited for.
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    return found;
  }

  function fromInputs(...inputs) {
    return inputs.flatMap((input) => [...input.files]).map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  }

  return { fromDrop, fromInputs };
})();
