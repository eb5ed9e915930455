/** From a click in the picture to a hint: a draft, the palette, the choice of a colour. */

import * as api from "./api.js";
import { nameOf } from "./colour.js";
import { byId, debounce } from "./dom.js";
import { colourless, isWhite, levelsOf, lightnessUnder } from "./levels.js";
import { notify, say, showProblem, superseded } from "./notices.js";
import { Picker } from "./picker.js";
import { holds } from "./shapes.js";
import { DEFAULTS, MILD_WHITE, anchorOf, freshId, hasCandidates, hintToRequest } from "./state.js";
import { radiusOf, shareOf } from "./tools.js";

const TRY_MS = 90; // a pointer that only passes over a colour requests nothing
const NEAR_PX = 24; // a second click within this distance means the same object
const TITLES = {
  point: "Colour of this place", stroke: "Colour of this stroke", region: "Colour inside this outline", thing: "Colour of this object",
};

export class Editor {
  constructor(stage, desk, painter) {
    this.stage = stage;
    this.desk = desk;
    this.painter = painter;
    this.draft = null; // {shape, points, radius, anchor}: a place without a colour yet; anchor: where an object was clicked
    this.selected = null; // id of the hint that the palette is open for
    this.lightness = null;
    this.asking = null;
    this.selecting = null; // AbortController while an object is being outlined
    this.redraw = () => {};
    this.tried = null; // the colour that is being previewed
    this.askToTry = debounce((colour) => this.paintTrial(colour), TRY_MS);
    this.picker = new Picker({
      choose: (colour, gesture) => this.choose(colour, gesture),
      tryOut: (colour) => this.tryOut(colour),
      keep: () => this.keep(),
      reach: (reach, gesture = null) => this.reachTo(reach, gesture),
      resize: (share, gesture) => this.resize(share, gesture),
      toneWhite: () => this.toneWhite(),
      remove: () => (this.selected ? this.delete(this.selected) : this.close(true)),
      close: (toPicture = true) => this.close(toPicture),
    });
    stage.addEventListener("view", () => this.picker.isOpen && this.picker.place(...this.inWindow()));
  }

  get target() {
    return this.draft ?? this.desk.wishes?.hints.find((hint) => hint.id === this.selected) ?? null;
  }

  /** Open the palette for a new place. */
  openDraft(shape, points, radius, { focus = false, anchor = null } = {}) {
    this.close();
    this.draft = { shape, points, radius, colour: undefined, ...(anchor ? { anchor } : {}) };
    this.open(anchor ? TITLES.thing : TITLES[shape], focus);
  }

  /**
    * Outline the object at a place, and open the palette for it. A click on the selected object, or
    * near a click that is still being processed, changes nothing.
   */
  async selectThing(place, radius, { focus = false } = {}) {
    if (this.isSelected(place)) return;
    this.close();
    const photo = this.desk.current;
    const selecting = Object.assign(new AbortController(), { place });
    this.selecting = selecting;
    byId("busy").hidden = false;
    showProblem("picture", null);
    say("Finding the object here.");
    try {
      const request = { x: place[0], y: place[1], restore: this.desk.wishes.restore };
      const { points } = await this.desk.ask(photo, (id) => api.outline(id, request, selecting.signal));
      if (this.selecting !== selecting) return;
      this.openDraft("region", points, radius, { focus, anchor: place });
      say("Object selected. Choose its colour, or press Escape.");
    } catch (problem) {
      if (this.selecting === selecting && !superseded(problem)) showProblem("picture", problem);
    } finally {
      if (this.selecting === selecting) this.stopSelecting();
    }
  }

  isSelected(place) {
    const { scale } = this.stage.view;
    const near = ([x, y]) => Math.hypot(x - place[0], y - place[1]) * scale < NEAR_PX;
    return this.selecting ? near(this.selecting.place) : Boolean(this.target?.anchor) && holds(this.target.points, place);
  }

  /** Stop outlining an object. */
  stopSelecting() {
    if (!this.selecting) return;
    this.selecting.abort();
    this.selecting = null;
    byId("busy").hidden = !this.painter.work;
  }

  /** Open the palette for an existing hint. */
  openHint(id) {
    this.close();
    this.selected = id;
    this.open("Change this hint", true);
  }

  open(title, focus) {
    this.lightness = null;
    this.white = this.desk.wishes.white_lightness;
    this.redraw();
    this.picker.open(this.inWindow(), { title, focus });
    this.stage.measure(); // on a phone the palette takes space from the picture
    this.stage.view.reveal(...anchorOf(this.target));
    this.stage.draw();
    this.refresh();
    this.suggest();
    this.readLightness();
  }

  /** Preview a colour on the picture without choosing it; null ends the preview. */
  tryOut(colour) {
    if (this.tried === colour) return;
    this.tried = colour;
    this.redraw();
    if (colour === null) {
      this.askToTry.cancel();
      this.painter.tryOut(null);
    } else {
      this.askToTry(colour);
    }
  }

  paintTrial(colour) {
    const { target } = this;
    if (!target || this.tried !== colour) return;
    const trial = { ...target, colour, keep: false };
    const { hints } = this.desk.wishes;
    this.painter.tryOut({ hints: this.draft ? [...hints, trial] : hints.map((hint) => (hint.id === target.id ? trial : hint)) });
  }

  /** Add a hint without the palette, for the brushes that keep a place gray, or as it is. */
  protect(shape, points, radius, keep) {
    this.close();
    const hint = { id: freshId("hint"), shape, points, radius, colour: null, ...(keep ? { keep } : {}) };
    this.desk.act({ type: "add-hint", hint, label: keep ? "kept a place as it is" : "kept a place gray" });
    say(keep ? "This place stays as it is." : "This place stays gray.");
  }

  /** Keep the palette's place as it is. */
  keep() {
    this.give({ colour: null, keep: true }, "kept a place as it is");
    say("This place stays as it is.");
  }

  /** Where the palette opens: [x, y] in the window, and the span it should not cover, [left, right]. */
  inWindow() {
    const box = this.stage.main.getBoundingClientRect();
    const [x, y] = this.stage.view.toPane(...anchorOf(this.target));
    const across = this.target.points.map((point) => box.left + this.stage.view.toPane(...point)[0]);
    const whole = this.target.anchor ? [Math.min(...across), Math.max(...across)] : null;
    return [box.left + x, box.top + y, whole];
  }

  /** Lightness of the place, from the gray preview; says at once if it can show no colour. */
  async readLightness() {
    const { current: photo } = this.desk;
    const { target } = this;
    try {
      const levels = await levelsOf(this.desk, photo);
      if (this.target !== target) return;
      this.lightness = Math.min(lightnessUnder(levels, target, photo.info), this.white ?? 100);
    } catch {
      return; // the service's answer includes it too
    }
    const refusal = colourless(this.lightness);
    if (refusal) {
      this.asking?.abort();
      this.picker.refuse(refusal, isWhite(this.lightness));
      say(refusal);
    }
    this.refresh();
  }

  /** Lower pure white in the whole photograph, so that this place can show colour. */
  toneWhite() {
    this.desk.act({ type: "set", field: "white_lightness", value: MILD_WHITE, label: "toned down white" });
    notify("White is now slightly darker in the whole photograph, so its lightness has changed. Undo restores it.");
    this.picker.focusPlane();
  }

  /** White was toned down or restored: check again whether the place can show colour. */
  followWhite() {
    if (this.white === this.desk.wishes.white_lightness) return;
    this.white = this.desk.wishes.white_lightness;
    this.lightness = null;
    this.picker.allow();
    this.suggest();
    this.readLightness();
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
      // A method that only spreads hints predicts no colours; the network does.
      const knows = hasCandidates(this.desk.methodOf(this.desk.wishes));
      const wishes = await this.desk.request(photo, knows ? {} : { method: DEFAULTS.method });
      // The likely colours here without this hint.
      const others = this.desk.wishes.hints.filter((hint) => hint.id !== self);
      wishes.hints = others.map(hintToRequest);
      const { lightness, suggestions } = await this.desk.ask(photo, (id) =>
        api.suggestions(id, { x, y, radius }, wishes, signal));
      if (signal.aborted || !this.target) return;
      this.lightness ??= lightness;
      this.picker.suggest(suggestions);
      this.refresh();
    } catch (problem) {
      if (signal.aborted || superseded(problem)) return;
      this.picker.suggest([]);
      showProblem("picker", problem);
    }
  }

  /** Set the place's colour; null keeps it gray. */
  choose(colour, gesture = null) {
    this.askToTry.cancel();
    this.tried = null;
    this.give({ colour, keep: false }, colour === null ? "kept a place gray" : "a colour", gesture);
    if (!gesture) say(colour === null ? "This place stays gray." : `This place is ${nameOf(colour)}.`);
  }

  give(changes, label, gesture = null) {
    if (this.draft) {
      const hint = { ...this.draft, id: freshId("hint"), ...changes };
      this.draft = null;
      this.selected = hint.id;
      this.desk.act({ type: "add-hint", hint, gesture, label });
    } else {
      this.desk.act({ type: "change-hint", id: this.selected, changes, gesture, label });
    }
    this.refresh();
  }

  /** Change a property other than the colour: directly in a draft, as an undo step in a hint. */
  change(changes, label, gesture = null) {
    if (this.draft) {
      Object.assign(this.draft, changes);
      this.redraw();
    } else {
      this.desk.act({ type: "change-hint", id: this.selected, changes, gesture, label });
    }
    this.refresh();
  }

  /** Set the colour's reach, a name or a number. */
  reachTo(reach, gesture = null) {
    this.change({ reach }, "reach of a hint", gesture);
  }

  resize(share, gesture) {
    this.change({ radius: radiusOf(share, this.desk.current.info) }, "size of a hint", gesture);
  }

  delete(id) {
    this.close(true);
    this.desk.act({ type: "delete-hint", id, label: "deleted a hint" });
    if (document.activeElement === document.body) this.stage.main.focus({ preventScroll: true });
    say("Hint deleted.");
  }

  /** Close the palette; a draft without a colour is discarded. */
  close(toPicture = false) {
    this.stopSelecting();
    if (!this.picker?.isOpen && !this.draft && !this.selected) return;
    this.asking?.abort();
    this.picker.close();
    this.draft = null;
    this.selected = null;
    this.redraw();
    if (toPicture) this.stage.main.focus({ preventScroll: true });
  }

  /** Show the target's current state, or close if undo has removed it. */
  refresh() {
    if (!this.picker.isOpen) return;
    const { target } = this;
    if (!target) {
      this.close();
      return;
    }
    this.followWhite();
    const { info } = this.desk.current;
    const used = [...new Set(this.desk.wishes.hints.map((hint) => hint.colour).filter(Boolean))].reverse();
    this.picker.show({
      lightness: this.lightness,
      colour: target.colour,
      used: used.filter((colour) => colour !== target.colour),
      isDraft: Boolean(this.draft),
      isRegion: target.shape === "region",
      keep: Boolean(target.keep),
      reach: target.reach ?? "near",
      sizeShare: shareOf(target.radius, info),
      sizeText: `${Math.round(2 * target.radius)} px`,
    });
  }
}
