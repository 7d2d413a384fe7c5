// The images of a review and what becomes of each answer. Knows nothing of the page.
"use strict";

/** Answers wait a moment before they are sent, so that one can be taken back that was never written. */
class ReviewQueue {
  /**
   * @param {object[]} images to begin with
   * @param {object} port `fetchMore()` gives more images, none when there are no more; `send(image, answer)` writes one
   * @param {number} undoMs how long an answer waits
   */
  constructor(images, port, undoMs) {
    this.images = images.map((image) => ({ ...image, answer: null, isSkipped: false, isSent: false }));
    this.position = 0;
    this.isExhausted = false;
    this.failed = [];
    this.port = port;
    this.undoMs = undoMs;
    this.waiting = null;
    this.fetching = null;
  }

  get current() {
    return this.images[this.position] ?? null;
  }

  get next() {
    return this.images.slice(this.position + 1);
  }

  get counts() {
    const count = (test) => this.images.filter(test).length;
    return {
      answered: count((one) => one.answer !== null),
      skipped: count((one) => one.isSkipped),
      left: count((one) => one.answer === null && !one.isSkipped),
    };
  }

  answer(label, isNew = false) {
    this.flush();
    const image = this.current;
    Object.assign(image, { answer: label, isNew, isSkipped: false, isSent: false });
    this.waiting = { image, timer: setTimeout(() => this.flush(), this.undoMs) };
    this.goOn();
  }

  skip() {
    this.flush();
    if (this.current.answer === null) this.current.isSkipped = true;
    this.goOn();
  }

  /** Back to the image before; what waits is taken back. */
  undo() {
    if (this.waiting) {
      clearTimeout(this.waiting.timer);
      this.waiting.image.answer = null;
      this.position = this.images.indexOf(this.waiting.image);
      this.waiting = null;
    } else if (this.position > 0) {
      this.position -= 1;
      this.current.isSkipped = false;
    }
  }

  /** Send what waits. */
  flush() {
    if (!this.waiting) return;
    const { image, timer } = this.waiting;
    clearTimeout(timer);
    this.waiting = null;
    this.send(image);
  }

  async send(image) {
    image.isSent = true;
    try {
      await this.port.send(image, image.answer);
    } catch (error) {
      image.isSent = false;
      this.failed.push(image);
      this.port.fail(error);
    }
    this.port.changed();
  }

  sendAgain() {
    this.failed.splice(0).forEach((image) => this.send(image));
  }

  goOn() {
    const open = this.images.findIndex((one, place) => place > this.position && one.answer === null && !one.isSkipped);
    this.position = open === -1 ? this.images.length : open;
  }

  /** Ask for more, once at a time. */
  fetchMore() {
    if (this.isExhausted) return Promise.resolve();
    this.fetching ??= this.port
      .fetchMore()
      .then((more) => {
        if (!more.length) this.isExhausted = true;
        this.images.push(...more.map((image) => ({ ...image, answer: null, isSkipped: false, isSent: false })));
      })
      .finally(() => {
        this.fetching = null;
      });
    return this.fetching;
  }
}
