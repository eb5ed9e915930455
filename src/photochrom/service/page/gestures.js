/** Pointer and wheel input of a pane: drag pans, pinch and wheel zoom, the rest goes to the tool. */

const CLICK_PX = 5; // movement tolerated in a click

/**
 * Listen to a pane.
 * @param {HTMLElement} pane
 * @param {import("./view.js").View} view
 * @param {Object} tool
 * @param {() => boolean} tool.draws     Whether a drag draws rather than pans.
 * @param {(x: number, y: number) => void} tool.click        In pane pixels.
 * @param {(x: number, y: number) => void} tool.drawStart
 * @param {(x: number, y: number) => void} tool.drawMove
 * @param {(kept: boolean) => void} tool.drawEnd
 * @param {() => void} tool.moved        After the view has changed.
 */
export function listen(pane, view, tool) {
  const pointers = new Map(); // id -> [x, y] in pane pixels
  let mode = null; // null | "press" | "pan" | "draw" | "pinch"
  /** @type {[number, number] | null} */
  let start = null;

  const at = (event) => {
    const box = pane.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const spread = () => {
    const [[ax, ay], [bx, by]] = [...pointers.values()];
    return { distance: Math.hypot(ax - bx, ay - by), x: (ax + bx) / 2, y: (ay + by) / 2 };
  };

  pane.addEventListener("pointerdown", (event) => {
    if (/** @type {Element} */ (event.target).closest("button, select, [role=slider]") || event.button > 1) return;
    pane.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    if (pointers.size === 2) {
      if (mode === "draw") tool.drawEnd(false);
      mode = "pinch";
    } else if (pointers.size === 1) {
      start = /** @type {[number, number]} */ (at(event));
      const hand = event.button === 1 || pane.classList.contains("is-hand");
      mode = tool.draws() && !hand ? "draw" : "press";
      if (mode === "draw") tool.drawStart(...start);
      pane.dataset.hand = hand ? "yes" : "";
    }
  });

  pane.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const [x, y] = at(event);
    const [oldX, oldY] = pointers.get(event.pointerId);
    const before = mode === "pinch" && pointers.size === 2 ? spread() : null;
    pointers.set(event.pointerId, [x, y]);
    if (before) {
      const after = spread();
      view.zoom(after.distance / Math.max(before.distance, 1), before.x, before.y);
      view.pan(after.x - before.x, after.y - before.y);
      tool.moved();
      return;
    }
    if (mode === "press" && Math.hypot(x - start[0], y - start[1]) > CLICK_PX) mode = "pan";
    if (mode === "pan") {
      view.pan(x - oldX, y - oldY);
      pane.classList.add("is-panning");
      tool.moved();
    }
    if (mode === "draw") tool.drawMove(x, y);
  });

  const end = (event, kept) => {
    if (!pointers.delete(event.pointerId)) return;
    if (mode === "draw") tool.drawEnd(kept);
    if (mode === "press" && kept && !pane.dataset.hand) tool.click(...start);
    if (!pointers.size) {
      mode = null;
      pane.classList.remove("is-panning");
    } else if (mode === "pinch") {
      mode = "pan"; // one finger is left: it continues panning
    }
  };
  pane.addEventListener("pointerup", (event) => end(event, true));
  pane.addEventListener("pointercancel", (event) => end(event, false));

  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const speed = event.ctrlKey ? 0.01 : 0.0018; // a trackpad pinch arrives as a wheel event with ctrl
    view.zoom(Math.exp(-event.deltaY * lines * speed), ...at(event));
    tool.moved();
  }, { passive: false });
}
