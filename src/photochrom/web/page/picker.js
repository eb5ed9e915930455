/** The small palette beside a spot: likely colours, the colour field, what was used before, size. */

import { atLightness, nameOf } from "./colour.js";
import { button, byId, element, paintSwatch } from "./dom.js";
import { showProblem } from "./notices.js";
import { Plane } from "./plane.js";
import { freshId } from "./state.js";

const GAP_PX = 22;
const MOST_USED = 8;
const PLACES = 5; // chips that are kept free until the service has answered

export class Picker {
  /**
   * @param {Object} act  What the editor does: choose(colour, gesture), resize(share, gesture),
   *   remove(), close().
   */
  constructor(act) {
    this.node = byId("picker");
    this.act = act;
    this.gesture = null;
    this.plane = new Plane(byId("plane"), (colour, dragging) => this.fromPlane(colour, dragging));
    byId("picker-close").addEventListener("click", () => act.close());
    byId("pick-gray").addEventListener("click", () => act.choose(null));
    byId("pick-delete").addEventListener("click", () => act.remove());
    byId("hex").addEventListener("change", (event) => this.fromDigits(event.target.value.trim()));
    const size = byId("hint-size");
    size.addEventListener("input", () => act.resize(Number(size.value), `size-${this.openedAs}`));
    this.node.addEventListener("keydown", (event) => this.onKey(event));
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Open beside a place, at [x, y] in the window. */
  open([x, y], { title, focus }) {
    this.openedAs = freshId("open");
    this.node.hidden = false;
    byId("picker-title").textContent = title;
    byId("hex").value = "";
    showProblem("picker", null);
    this.suggestions = null;
    this.drawSuggestions(null);
    this.place(x, y);
    if (focus) byId("plane").focus({ preventScroll: true });
  }

  place(x, y) {
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const right = x + GAP_PX + width < innerWidth - 8;
    const left = right ? x + GAP_PX : Math.max(8, x - GAP_PX - width);
    const top = Math.min(Math.max(52, y - height / 2), innerHeight - height - 8);
    this.node.style.translate = `${Math.round(left)}px ${Math.round(top)}px`;
  }

  close() {
    this.node.hidden = true;
  }

  /** Show what is known of the place: its lightness and its colour. */
  show({ lightness, colour, used, isDraft, sizeShare, sizeText }) {
    byId("pick-delete").hidden = isDraft;
    if (lightness !== null) this.plane.setLightness(lightness);
    this.plane.show(colour ?? null);
    this.colour = colour;
    const digits = byId("hex");
    if (document.activeElement !== digits) digits.value = colour ?? "";
    byId("pick-gray").setAttribute("aria-pressed", String(colour === null));
    byId("hint-size").value = sizeShare;
    byId("hint-size-value").textContent = sizeText;
    this.drawUsed(used, lightness);
    this.markChosen();
  }

  /** Show the service's suggestions, likeliest first. */
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
      return paintSwatch(chip, colour);
    }));
    row.hidden = !suggestions.length;
    this.markChosen();
  }

  drawUsed(used, lightness) {
    const row = byId("used");
    row.hidden = !used.length;
    if (row.contains(document.activeElement)) return; // the focus would be lost
    row.replaceChildren(...used.slice(0, MOST_USED).map((colour) => {
      const chip = button("", () => this.act.choose(colour), { label: `${nameOf(colour)}, used before`, kind: "chip" });
      chip.dataset.colour = colour;
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

  fromDigits(text) {
    const digits = text.startsWith("#") ? text : `#${text}`;
    if (/^#[0-9a-f]{6}$/i.test(digits)) {
      showProblem("picker", null);
      this.act.choose(digits.toLowerCase());
    } else if (text) {
      showProblem("picker", `A colour is six hexadecimal digits such as #b5651d; this is “${text}”.`);
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
