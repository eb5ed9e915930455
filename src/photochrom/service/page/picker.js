/** The palette beside a spot: likely colours, the colour field, recent colours, size. */

import { atLightness, colourIn, nameOf } from "./colour.js";
import { button, byId, element, onHover, paintSwatch } from "./dom.js";
import { showProblem } from "./notices.js";
import { Plane } from "./plane.js";
import { bounded } from "./reach.js";
import { chooseRadio, radioKeys } from "./sources.js";
import { REACHES, freshId, reachAt, reachNumber, reachShare, reachText, takes } from "./state.js";

const GAP_PX = 22;
const MOST_USED = 8;
const PLACES = 5; // placeholder chips until the service has answered

export class Picker {
  /**
   * @param {Object} act  What the editor does: choose(colour, gesture), tryOut(colour), keep(),
   *   resize(share, gesture), reach(nameOrNumber, gesture), toneWhite(), remove(), close().
   */
  constructor(act) {
    this.node = byId("picker");
    this.act = act;
    this.gesture = null;
    this.plane = new Plane(byId("plane"), {
      pick: (colour, dragging) => this.fromPlane(colour, dragging),
      tryOut: (colour) => act.tryOut(colour),
    });
    this.makeReaches();
    byId("pick-keep").addEventListener("click", () => act.keep());
    byId("tone-white").addEventListener("click", () => act.toneWhite());
    byId("picker-close").addEventListener("click", () => act.close());
    byId("pick-gray").addEventListener("click", () => act.choose(null));
    byId("pick-delete").addEventListener("click", () => act.remove());
    byId("hex").addEventListener("change", (event) => this.fromText(event.target.value.trim()));
    const size = byId("hint-size");
    size.addEventListener("input", () => act.resize(Number(size.value), `size-${this.openedAs}`));
    const reach = byId("hint-reach");
    reach.addEventListener("input", () => act.reach(bounded(reachAt(Number(reach.value))), `reach-${this.openedAs}`));
    this.node.addEventListener("keydown", (event) => this.onKey(event));
  }

  makeReaches() {
    const group = byId("reach");
    for (const [name, text] of Object.entries(REACHES)) {
      const made = button(text, () => this.act.reach(name));
      made.setAttribute("role", "radio");
      made.dataset.reach = name;
      group.append(made);
    }
    radioKeys(group);
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Open beside a place in the window; see `place`. */
  open(where, { title, focus }) {
    this.openedAs = freshId("open");
    this.node.hidden = false;
    byId("picker-title").textContent = title;
    byId("hex").value = "";
    showProblem("picker", null);
    this.allow();
    this.place(...where);
    if (focus) this.focusPlane();
  }

  /** Offer colours; the service's suggestions are added when they arrive. */
  allow() {
    this.node.classList.remove("is-colourless");
    byId("picker-says").hidden = true;
    byId("tone-white").hidden = true;
    this.suggestions = null;
    this.drawSuggestions(null);
  }

  focusPlane() {
    byId("plane").focus({ preventScroll: true });
  }

  /** Move beside [x, y]; if there is space, beside the selection, [from, to] horizontally. */
  place(x, y, whole = null) {
    this.at = [x, y, whole];
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const [from, to] = whole ?? [x, x];
    const fits = [to + GAP_PX, from - GAP_PX - width, x + GAP_PX].find((at) => at >= 8 && at + width < innerWidth - 8);
    const left = fits ?? Math.max(8, x - GAP_PX - width);
    const top = Math.max(8, Math.min(Math.max(52, y - height / 2), innerHeight - height - 8));
    this.node.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }

  close() {
    this.act.tryOut(null);
    this.node.hidden = true;
  }

  /** Say that the place cannot show colour; for white, offer to tone it down. */
  refuse(text, canTone) {
    const says = byId("picker-says");
    says.textContent = text;
    says.hidden = false;
    byId("tone-white").hidden = !canTone;
    const focused = this.node.contains(document.activeElement);
    this.node.classList.add("is-colourless");
    if (focused) byId(canTone ? "tone-white" : "picker-close").focus({ preventScroll: true });
  }

  /** Show the lightness and the colour of the place. */
  show({ lightness, colour, used, isDraft, isRegion, keep, reach, sizeShare, sizeText }) {
    byId("pick-delete").hidden = isDraft;
    if (lightness !== null) this.plane.setLightness(lightness);
    this.plane.show(colour ?? null);
    this.colour = colour;
    const digits = byId("hex");
    if (document.activeElement !== digits) digits.value = colour ?? "";
    byId("pick-gray").setAttribute("aria-pressed", String(colour === null && !keep));
    byId("pick-keep").hidden = !takes("keep");
    byId("pick-keep").setAttribute("aria-pressed", String(Boolean(keep)));
    byId("reach-row").hidden = !takes("reach") || keep || colour === null || isRegion; // a region colours its inside
    this.showReach(reach);
    byId("hint-size").closest(".slider").hidden = isRegion;
    byId("hint-size").value = sizeShare;
    byId("hint-size-value").textContent = sizeText;
    this.drawUsed(used, lightness);
    this.markChosen();
    this.place(...this.at); // its height may have changed
  }

  showReach(reach) {
    chooseRadio(byId("reach"), (made) => made.dataset.reach === reach);
    const range = byId("hint-reach");
    const text = reachText({ reach });
    range.value = reachShare(reachNumber({ reach }));
    range.setAttribute("aria-valuetext", typeof reach === "number" ? `${text} of the longer side` : text);
    byId("hint-reach-value").textContent = text;
  }

  /** Show the service's suggestions, most likely first. */
  suggest(suggestions) {
    const focused = this.node.contains(document.activeElement) && document.activeElement.id === "plane";
    this.suggestions = suggestions;
    this.drawSuggestions(suggestions);
    if (focused && suggestions.length) byId("suggestions").firstChild.focus({ preventScroll: true });
  }

  drawSuggestions(suggestions) {
    const row = byId("suggestions");
    if (!suggestions) {
      row.replaceChildren(...Array.from({ length: PLACES }, () => element("span", { class: "chip is-waiting" })));
      return;
    }
    row.replaceChildren(...suggestions.map(({ colour, share }) => {
      const percent = share < 0.01 ? "under 1 %" : `${Math.round(share * 100)} %`;
      const chip = button("", () => this.act.choose(colour), { label: `${nameOf(colour)}, likely ${percent}`, kind: "chip" });
      chip.dataset.colour = colour;
      this.offerTrial(chip, colour);
      return paintSwatch(chip, colour);
    }));
    row.hidden = !suggestions.length;
    this.markChosen();
  }

  /** Preview a colour on the picture while the pointer or the focus is on it. */
  offerTrial(chip, colour) {
    onHover(chip, (on) => this.act.tryOut(on ? colour : null));
  }

  drawUsed(used, lightness) {
    const row = byId("used");
    row.hidden = !used.length;
    if (row.contains(document.activeElement)) return; // the focus would be lost
    row.replaceChildren(...used.slice(0, MOST_USED).map((colour) => {
      const chip = button("", () => this.act.choose(colour), { label: `${nameOf(colour)}, used before`, kind: "chip" });
      chip.dataset.colour = colour;
      this.offerTrial(chip, colour);
      return paintSwatch(chip, lightness === null ? colour : atLightness(colour, lightness));
    }));
  }

  markChosen() {
    for (const chip of this.node.querySelectorAll("button.chip")) {
      chip.setAttribute("aria-pressed", String(chip.dataset.colour === this.colour));
    }
  }

  fromPlane(colour, dragging) {
    this.gesture ??= freshId("plane");
    this.act.choose(colour, this.gesture);
    if (!dragging) this.gesture = null;
  }

  fromText(text) {
    const colour = colourIn(text);
    if (colour) {
      showProblem("picker", null);
      this.act.choose(colour);
    } else if (text) {
      showProblem("picker", `“${text}” is not a colour that is known here. Write one like red, dark green or #b5651d.`);
    }
  }

  onKey(event) {
    if (event.key === "Escape") this.act.close(true);
    else if (event.key === "Delete" && event.target.tagName !== "INPUT") this.act.remove();
    else if (event.target.classList.contains("chip") && event.key.startsWith("Arrow")) this.alongChips(event);
    else return;
    event.stopPropagation();
  }

  alongChips(event) {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const chips = [...event.target.parentNode.children];
    chips[(chips.indexOf(event.target) + step + chips.length) % chips.length].focus();
    event.preventDefault();
  }
}
