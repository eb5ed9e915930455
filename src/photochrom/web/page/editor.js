/** What happens between a click in the picture and a hint: a draft, the palette, the choice. */

import * as api from "./api.js";
import { nameOf, rgbToLab } from "./colour.js";
import { anchorOf } from "./hints.js";
import { say, showProblem, superseded } from "./notices.js";
import { Picker } from "./picker.js";
import { DEFAULTS, freshId, hasCandidates } from "./state.js";
import { radiusOf, shareOf } from "./tools.js";

export class Editor {
  constructor(stage, desk) {
    this.stage = stage;
    this.desk = desk;
    this.draft = null; // {shape, points, radius}: a place without a colour yet
    this.selected = null; // id of the hint that the palette is open for
    this.lightness = null;
    this.asking = null;
    this.redraw = () => {};
    this.picker = new Picker({
      choose: (colour, gesture) => this.choose(colour, gesture),
      resize: (share, gesture) => this.resize(share, gesture),
      remove: () => (this.selected ? this.delete(this.selected) : this.close(true)),
      close: (toPicture = true) => this.close(toPicture),
    });
    stage.addEventListener("view", () => this.picker.isOpen && this.picker.place(...this.inWindow()));
  }

  get target() {
    return this.draft ?? this.desk.wishes?.hints.find((hint) => hint.id === this.selected) ?? null;
  }

  /** Open the palette for a new place. */
  openDraft(shape, points, radius, { focus = false } = {}) {
    this.close();
    this.draft = { shape, points, radius, colour: undefined };
    this.open(shape === "point" ? "Colour of this place" : "Colour of this stroke", focus);
  }

  /** Open the palette for a hint that is there. */
  openHint(id) {
    this.close();
    this.selected = id;
    this.open("Change this hint", true);
  }

  open(title, focus) {
    this.lightness = null;
    this.redraw();
    this.picker.open(this.inWindow(), { title, focus });
    this.stage.measure(); // on a phone the palette takes room from the picture
    this.stage.view.reveal(...anchorOf(this.target));
    this.stage.draw();
    this.refresh();
    this.readLightness().then(() => this.refresh());
    this.suggest();
  }

  /** Put a hint there at once, without the palette: the brush that keeps gray. */
  keepGray(shape, points, radius) {
    this.close();
    this.desk.act({ type: "add-hint", hint: { id: freshId("hint"), shape, points, radius, colour: null }, label: "kept a place gray" });
    say("This place stays gray.");
  }

  inWindow() {
    const box = this.stage.main.getBoundingClientRect();
    const [x, y] = this.stage.view.toPane(...anchorOf(this.target));
    return [box.left + x, box.top + y];
  }

  /** Lightness under the place, from the gray preview that is here already. */
  async readLightness() {
    const { current: photo } = this.desk;
    const place = anchorOf(this.target);
    if (!photo.gray) return;
    const bitmap = await createImageBitmap(photo.gray);
    const scale = bitmap.width / photo.info.width;
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.drawImage(bitmap, Math.round(-place[0] * scale), Math.round(-place[1] * scale));
    bitmap.close();
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    this.lightness ??= rgbToLab([r, g, b])[0];
  }

  async suggest() {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const photo = this.desk.current;
    const { id: self } = this.target;
    const [x, y] = anchorOf(this.target);
    const { radius } = this.target;
    try {
      // A method that only spreads what it is given knows no likely colours; the network does.
      const knows = hasCandidates(this.desk.methodOf(this.desk.wishes));
      const wishes = await this.desk.request(photo, knows ? {} : { method: DEFAULTS.method });
      // What is likely here, were this hint not there yet.
      const others = this.desk.wishes.hints.filter((hint) => hint.id !== self);
      wishes.hints = others.map(({ shape, points, colour, radius: r }) => ({ shape, points, colour, radius: r }));
      const { lightness, suggestions } = await this.desk.ask(photo, (id) =>
        api.suggestions(id, { x, y, radius }, wishes, signal));
      if (signal.aborted || !this.target) return;
      this.lightness = lightness;
      this.picker.suggest(suggestions);
      this.refresh();
    } catch (problem) {
      if (signal.aborted || superseded(problem)) return;
      this.picker.suggest([]);
      showProblem("picker", problem);
    }
  }

  /** Give the place a colour; null keeps it gray. */
  choose(colour, gesture = null) {
    const label = colour === null ? "kept a place gray" : "a colour";
    if (this.draft) {
      const hint = { ...this.draft, id: freshId("hint"), colour };
      this.draft = null;
      this.selected = hint.id;
      this.desk.act({ type: "add-hint", hint, gesture, label });
    } else {
      this.desk.act({ type: "change-hint", id: this.selected, changes: { colour }, gesture, label });
    }
    if (!gesture) say(colour === null ? "This place stays gray." : `This place is ${nameOf(colour)}.`);
    this.refresh();
  }

  resize(share, gesture) {
    const radius = radiusOf(share, this.desk.current.info);
    if (this.draft) {
      this.draft.radius = radius;
      this.redraw();
    } else {
      this.desk.act({ type: "change-hint", id: this.selected, changes: { radius }, gesture, label: "size of a hint" });
    }
    this.refresh();
  }

  delete(id) {
    this.close(true);
    this.desk.act({ type: "delete-hint", id, label: "deleted a hint" });
    if (document.activeElement === document.body) this.stage.main.focus({ preventScroll: true });
    say("Hint deleted.");
  }

  /** Close the palette; a draft without a colour goes. */
  close(toPicture = false) {
    if (!this.picker?.isOpen && !this.draft && !this.selected) return;
    this.asking?.abort();
    this.draft = null;
    this.selected = null;
    this.picker.close();
    this.redraw();
    if (toPicture) this.stage.main.focus({ preventScroll: true });
  }

  /** Show the target's present state, or close if undo has taken it away. */
  refresh() {
    if (!this.picker.isOpen) return;
    const { target } = this;
    if (!target) {
      this.close();
      return;
    }
    const { info } = this.desk.current;
    const used = [...new Set(this.desk.wishes.hints.map((hint) => hint.colour).filter(Boolean))].reverse();
    this.picker.show({
      lightness: this.lightness,
      colour: target.colour,
      used: used.filter((colour) => colour !== target.colour),
      isDraft: Boolean(this.draft),
      sizeShare: shareOf(target.radius, info),
      sizeText: `${Math.round(2 * target.radius)} px`,
    });
  }
}
