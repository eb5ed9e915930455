/** Functions to create and find elements; the page uses no framework. */

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, any>} properties  Attributes; `on` is an object of listeners, `class` a class.
 * @param {...(Node|string)} children
 * @returns {any}  The element; its type depends on the tag.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (typeof value === "boolean") {
      made.toggleAttribute(name, value);
    } else if (value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children);
  return made;
}

/**
 * Find the one element with an id; a missing one is a bug in index.html.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no element #${id}.`);
  return found;
}

/** Make an icon from the sprite in index.html. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  svg.append(use);
  return svg;
}

/** Make a button with a text and, if named, an icon. */
export function button(text, press, { iconName = null, label = null, kind = "" } = {}) {
  const made = element("button", { type: "button", class: kind, "aria-label": label, on: { click: press } });
  if (iconName) made.append(icon(iconName));
  if (text) made.append(text);
  if (label) made.title = label;
  return made;
}

/** Paint a swatch; the colour is set through CSSOM, since the policy forbids inline styles. */
export function paintSwatch(node, colour) {
  node.classList.toggle("is-gray", colour === null);
  node.style.setProperty("--colour", colour ?? "#808080");
  return node;
}

/**
 * Replace children; the focus keeps its position among them.
 * @param {HTMLElement} node
 * @param {Node[]} children
 * @param {HTMLElement} otherwise  Gets the focus if no child can have it.
 */
export function replaceChildren(node, children, otherwise) {
  /** @returns {any[]} */
  const places = () => [...node.querySelectorAll("button:not(:disabled), input")];
  const at = places().indexOf(document.activeElement);
  node.replaceChildren(...children);
  if (at < 0) return;
  const now = places();
  (now[Math.min(at, now.length - 1)] ?? otherwise).focus({ preventScroll: true });
}

/** Delay calls until none has come for some milliseconds, then run the last one. */
export function debounce(run, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

/** Listen for the pointer or the focus entering and leaving an element; touch does neither. */
export function onHover(node, hear) {
  node.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && hear(true));
  node.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hear(false));
  node.addEventListener("focus", () => node.matches(":focus-visible") && hear(true));
  node.addEventListener("blur", () => hear(false));
}
