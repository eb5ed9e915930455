/** The page: creates its parts and connects them. */

import * as api from "./api.js";
import { Candidates } from "./candidates.js";
import { Closer } from "./closer.js";
import { Desk } from "./desk.js";
import { byId } from "./dom.js";
import { Editor } from "./editor.js";
import { Files } from "./files.js";
import { FirstSteps } from "./first-steps.js";
import { HintLayer } from "./hints.js";
import { fillKeyList, listenToHand, listenToHold, listenToKeys } from "./keys.js";
import * as memory from "./memory.js";
import { notify, say, showProblem } from "./notices.js";
import { Painter } from "./painter.js";
import { Panel } from "./panel.js";
import { Queue } from "./queue.js";
import { Reel } from "./reel.js";
import { Saving } from "./saving.js";
import { Sources } from "./sources.js";
import { Stage } from "./stage.js";
import { hintsTake, takes } from "./state.js";
import { Tools } from "./tools.js";
import { Waiting } from "./waiting.js";
import { Welcome } from "./welcome.js";

/** Ask for the API key in a dialog; null if the dialog is cancelled. */
function askForKey(refused) {
  const dialog = byId("key-dialog");
  const input = byId("key-input");
  input.value = "";
  showProblem("key", refused ? "This key was not accepted." : null);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue ? input.value : null), { once: true });
  });
}

/** Close dialogs without submitting their forms: the policy forbids form submission. */
function tameDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.close(event.submitter?.getAttribute("value") ?? "");
    });
  }
}

/** Offer only what the engine can do. */
function offer({ restores, formats, staysHere, clearStorage, whenLoading }) {
  byId("stays").hidden = !staysHere;
  byId("restore").closest("label").hidden = !restores;
  byId("no-restore").hidden = restores;
  for (const option of byId("save-format").querySelectorAll("option")) {
    if (option.value && !formats.includes(option.value)) option.remove();
  }
  byId("stored").hidden = !clearStorage || !memory.hasAny();
  byId("clear-storage").addEventListener("click", () => clearStorage?.());
  return whenLoading;
}

async function start() {
  api.onKeyNeeded(askForKey);
  tameDialogs();
  fillKeyList();
  const whenLoading = offer(api.capabilities);
  const [methods, moods, limits] = await Promise.all([api.methods(), api.moods(), api.limits()]);
  const desk = new Desk(methods);
  const stage = new Stage();
  const painter = new Painter(desk, stage);
  const closer = new Closer(desk, stage, painter);
  const editor = new Editor(stage, desk, painter);
  const hints = new HintLayer(stage, desk, editor);
  editor.redraw = () => hints.draw();
  const tools = new Tools(stage, desk, editor);
  const panel = new Panel(desk, painter, editor);
  const files = new Files({
    open: (chosen) => desk.add(chosen),
    lend: (file) => sources.lend(file),
    settings: (file) => saving.openSettings(file),
    film: (file) => reel.open(file),
    canLend: () => desk.current?.status === "ready",
  }, limits.photo_suffixes ?? []);
  const sources = new Sources(desk, moods, (then) => files.pick(then));
  const candidates = new Candidates(desk, painter);
  const queue = new Queue(desk, painter);
  const reel = new Reel(desk, limits.film_suffixes ?? []);
  const saving = new Saving(desk, (then) => files.pick(then));
  new Welcome(desk);
  const waiting = new Waiting(desk);
  new FirstSteps(desk);
  whenLoading?.((text) => waiting.load(text));
  painter.onSettled((photo) => candidates.refresh(photo));

  const drawHistory = () => {
    const history = desk.current?.history;
    byId("undo").disabled = !history?.past.length;
    byId("redo").disabled = !history?.future.length;
  };
  const drawAll = () => {
    const photo = desk.current;
    const isLost = ["failed", "gone"].includes(photo?.status);
    document.body.classList.toggle("is-empty", !photo || (isLost && desk.photos.length < 2));
    stage.main.tabIndex = photo ? 0 : -1;
    if (photo && byId("welcome").contains(document.activeElement)) stage.main.focus({ preventScroll: true }); // what had it goes away
    byId("welcome").hidden = Boolean(photo);
    byId("stored").hidden = !api.capabilities.clearStorage || !memory.hasAny();
    const asks = photo?.status === "ready" && !photo.agreed;
    byId("asks").hidden = !asks;
    for (const id of ["panel", "rail", "show"]) byId(id).inert = photo?.status !== "ready" || asks;
    byId("close-photo").hidden = !photo || (desk.film && photo.at !== null); // the film is closed as a whole
    byId("file-name").textContent = photo?.name ?? "";
    document.title = photo ? `${photo.name} · photochrom` : "photochrom";
    drawGone(photo);
    if (!byId("save").hasAttribute("aria-busy")) saving.drawButton();
    drawHistory();
    panel.draw();
    sources.draw();
    hints.draw();
  };
  const look = () => {
    editor.close();
    for (const photo of desk.photos) if (photo !== desk.current) photo.levels = null;
    closer.reset("before", "after", "other");
    byId("saved").hidden = true;
    sources.reset();
    candidates.stale(true);
    drawAll();
    queue.draw();
    painter.show();
  };

  desk.addEventListener("current", look);
  desk.addEventListener("session", look);
  desk.addEventListener("list", () => queue.draw());
  desk.addEventListener("closed", (/** @type {CustomEvent} */ { detail: photo }) =>
    notify(`${photo.name} was closed.`, { name: "Open it again", act: () => desk.reopen(photo) }));
  desk.addEventListener("wishes", (/** @type {CustomEvent} */ { detail }) => {
    candidates.stale(false);
    drawHistory();
    panel.draw();
    sources.draw();
    hints.draw();
    editor.refresh();
    if (!desk.current.agreed) return;
    const painted = desk.current.colouredFor?.saturation;
    if (detail.gesture && detail.field === "saturation" && painted) stage.saturate(desk.wishes.saturation / painted);
    else painter.paint(detail.gesture);
  });

  const travel = (type, word) => {
    const { history } = desk.current ?? {};
    const label = type === "undo" ? history?.present.label : history?.future[0]?.label;
    if (!history || (type === "undo" ? !history.past.length : !history.future.length)) return;
    desk.act({ type });
    say(`${word}: ${label}.`);
  };
  const toggle = (id, act) => () => {
    const pressed = byId(id).getAttribute("aria-pressed") !== "true";
    byId(id).setAttribute("aria-pressed", String(pressed));
    act(pressed);
  };
  const original = () => stage.toggleOriginal();
  const guesses = toggle("show-guesses", (on) => { painter.guesses = on; painter.afterwards(); });
  const showHints = toggle("show-hints", (on) => hints.show(on));
  stage.addEventListener("share", () => {
    const isOriginal = stage.share >= 1;
    byId("show-before").setAttribute("aria-pressed", String(isOriginal));
    document.body.classList.toggle("shows-original", isOriginal);
  });
  stage.addEventListener("view", () => { byId("zoom-value").textContent = stage.info ? `${Math.round(100 * stage.view.scale)} %` : ""; });
  const zoom = (act) => () => { act(stage.view); stage.draw(); };
  const zoomIn = zoom((view) => view.zoom(1.4));
  const zoomOut = zoom((view) => view.zoom(1 / 1.4));
  const fit = zoom((view) => view.fit());
  const step = (by) => () => {
    const next = desk.photos[desk.photos.indexOf(desk.current) + by];
    if (next) desk.look(next);
  };
  const help = () => byId("keyboard").showModal();
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen())
    .catch(() => notify("This browser does not support full screen."));
  document.addEventListener("fullscreenchange", () => {
    const isFull = Boolean(document.fullscreenElement);
    document.body.classList.toggle("is-full", isFull);
    byId("full").setAttribute("aria-pressed", String(isFull));
    byId("leave-full").hidden = !isFull;
  });

  const presses = {
    undo: () => travel("undo", "Undone"), redo: () => travel("redo", "Redone"),
    "show-guesses": guesses, "show-hints": showHints,
    "zoom-in": zoomIn, "zoom-out": zoomOut, "zoom-fit": fit, help, full, "leave-full": full,
    "close-photo": () => { desk.remove(desk.current); if (!desk.current) byId("choose").focus(); },
    "asks-colour": () => { desk.agree(desk.current); stage.main.focus({ preventScroll: true }); },
    "asks-close": () => desk.remove(desk.current),
    adjust: () => byId("adjust").setAttribute("aria-expanded", String(byId("panel").classList.toggle("is-open"))),
    reopen: () => files.pick((file) => { desk.current.file = file; desk.open(desk.current); }),
    "gone-remove": () => desk.remove(desk.current),
  };
  for (const [id, press] of Object.entries(presses)) byId(id).addEventListener("click", press);
  listenToKeys({
    "ctrl+z": presses.undo, "ctrl+shift+z": presses.redo, "ctrl+y": presses.redo,
    o: () => files.pick(), d: () => saving.save(), c: guesses, h: showHints, f: full,
    1: () => tools.use("spot"), 2: () => tools.use("stroke"), 3: () => tools.use("lasso"), 4: () => tools.use("select"),
    5: () => tools.use("gray"), 6: () => tools.use("keep"),
    "[": () => tools.changeSize(-6), "]": () => tools.changeSize(6),
    p: () => stage.main.focus(), "+": zoomIn, "=": zoomIn, "-": zoomOut, 0: fit, "?": help,
    Escape: () => editor.close(true), PageUp: step(-1), PageDown: step(1),
  });
  listenToHold("b", byId("show-before"), original);
  listenToHand([stage.main, stage.other]);
  addEventListener("resize", () => editor.picker.isOpen && editor.picker.place(...editor.inWindow()));

  api.hintFields().then((fields) => {
    hintsTake(fields);
    byId("tool-keep").hidden = !takes("keep");
  }).catch(() => {}); // then only the basic fields of a hint are used
  await desk.resume();
  await reel.resume();
  document.documentElement.dataset.ready = "yes";
}

/** Explain why a photograph cannot be shown, and offer what to do. */
function drawGone(photo) {
  const lost = photo?.status === "gone" || photo?.status === "failed";
  byId("gone").hidden = !lost;
  if (!lost) return;
  const { hints } = photo.history.present.wishes;
  const kept = hints.length ? ` Its ${hints.length === 1 ? "hint is" : `${hints.length} hints are`} kept.` : "";
  byId("gone-title").textContent = photo.status === "gone" ? `Open ${photo.name} again` : `${photo.name} could not be opened`;
  byId("gone-text").textContent = photo.status === "gone"
    ? `The photograph was removed to save space. Open the file again.${kept}`
    : withoutName(photo.problem.message, photo.name);
  byId("reopen").textContent = photo.status === "gone" ? "Open the file again" : "Choose another file";
}

/** A message whose file is named above it. */
function withoutName(message, name) {
  if (!message.startsWith(`${name}: `)) return message;
  const rest = message.slice(name.length + 2);
  return rest[0].toUpperCase() + rest.slice(1);
}

start().catch((problem) => {
  showProblem("picture", problem);
  byId("welcome").hidden = true;
});
