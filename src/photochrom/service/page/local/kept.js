/** Remember the last few answers. */
export class Kept {
  constructor(most) {
    this.most = most;
    this.answers = new Map();
  }

  async get(key, make) {
    const found = this.answers.has(key) ? this.answers.get(key) : await make();
    this.answers.delete(key);
    this.answers.set(key, found);
    if (this.answers.size > this.most) this.forget(this.answers.keys().next().value);
    return found;
  }

  forget(key) {
    this.answers.delete(key);
  }
}
