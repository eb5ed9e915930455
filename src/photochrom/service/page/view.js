/**
 * Position of the picture in its pane: zoom and pan as plain numbers, without DOM.
 *
 * `scale` is CSS pixels per full-size pixel, (x, y) the picture's top left corner in the pane.
 */

const LARGEST = 8; // CSS pixels per full-size pixel

export class View {
  constructor() {
    this.picture = { width: 1, height: 1 };
    this.pane = { width: 1, height: 1 };
    this.margin = 0;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true;
  }

  /** Set a new picture, and show all of it. */
  setPicture(width, height) {
    this.picture = { width, height };
    this.fit();
  }

  /** Set a new size of the pane; the picture's middle stays in the middle. */
  setPane(width, height, margin) {
    const middle = this.toPicture(this.pane.width / 2, this.pane.height / 2);
    this.pane = { width, height };
    this.margin = margin;
    if (this.fitted) this.fit();
    else this.centre(...middle);
  }

  /** CSS pixels per full-size pixel when all of the picture is visible. */
  get fitScale() {
    const across = (this.pane.width - 2 * this.margin) / this.picture.width;
    const down = (this.pane.height - 2 * this.margin) / this.picture.height;
    return Math.max(Math.min(across, down), 1e-4);
  }

  fit() {
    this.scale = this.fitScale;
    this.fitted = true;
    this._settle();
  }

  /** Zoom by a factor; the picture's point under (paneX, paneY) stays there. */
  zoom(factor, paneX = this.pane.width / 2, paneY = this.pane.height / 2) {
    const [x, y] = this.toPicture(paneX, paneY);
    const smallest = this.fitScale;
    this.scale = Math.min(Math.max(this.scale * factor, smallest), Math.max(LARGEST, smallest));
    this.fitted = this.scale <= smallest * 1.0001;
    this.x = paneX - x * this.scale;
    this.y = paneY - y * this.scale;
    this._settle();
  }

  pan(across, down) {
    this.x += across;
    this.y += down;
    this._settle();
  }

  /** Centre a point of the picture in the pane. */
  centre(x, y) {
    this.scale = Math.max(this.scale, this.fitScale);
    this.x = this.pane.width / 2 - x * this.scale;
    this.y = this.pane.height / 2 - y * this.scale;
    this._settle();
  }

  /** Pan just far enough to make a point of the picture visible. */
  reveal(x, y, border = 40) {
    const [paneX, paneY] = this.toPane(x, y);
    const need = (at, size) => (at < border ? border - at : at > size - border ? size - border - at : 0);
    this.pan(need(paneX, this.pane.width), need(paneY, this.pane.height));
  }

  toPicture(paneX, paneY) {
    return [(paneX - this.x) / this.scale, (paneY - this.y) / this.scale];
  }

  toPane(x, y) {
    return [this.x + x * this.scale, this.y + y * this.scale];
  }

  contains(x, y) {
    return x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height;
  }

  /** Size and position of the picture in the pane, in CSS pixels. */
  get box() {
    const { width, height } = this.picture;
    return { left: this.x, top: this.y, width: width * this.scale, height: height * this.scale };
  }

  /** The picture's visible horizontal span: [left, right] in the pane. */
  get seenAcross() {
    const { left, width } = this.box;
    return [Math.max(left, 0), Math.min(left + width, this.pane.width)];
  }

  /** Centre a smaller picture; keep a larger one in view. */
  _settle() {
    const place = (at, size, pane) => {
      if (size <= pane - 2 * this.margin + 0.5) return (pane - size) / 2;
      return Math.min(this.margin, Math.max(pane - this.margin - size, at));
    };
    const { width, height } = this.box;
    this.x = place(this.x, width, this.pane.width);
    this.y = place(this.y, height, this.pane.height);
  }
}
