/** What every study does, whatever it asks: its sections, its buttons, its participant, its trials. */

import { byId } from "/page/service/dom.js";
import * as api from "/page/api.js";

const KEY = "photochrom-study-participant";
const SECTIONS = ["intro", "pair", "failure", "end"];

export const say = (text) => { byId("said").textContent = text; };
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export function open(section) {
  for (const name of SECTIONS) byId(name).hidden = name !== section;
  document.documentElement.dataset.section = section;
}

/** Wait for a press of one of some buttons, or of their keys. */
export function pressed(buttons, keys = {}) {
  return new Promise((resolve) => {
    const ending = new AbortController();
    const done = (button) => { ending.abort(); resolve(button); };
    for (const button of buttons) button.addEventListener("click", () => done(button), { signal: ending.signal });
    document.addEventListener("keydown", (event) => {
      if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
      const button = keys[event.key];
      if (!button) return;
      event.preventDefault();
      done(button);
    }, { signal: ending.signal });
  });
}

/** Try until it works; the participant says when to try again. */
export async function surely(act, whenFailed = () => {}) {
  for (;;) {
    try {
      return await act();
    } catch (problem) {
      if (!(problem instanceof api.Problem)) throw problem;
      if (problem.status === 409) return null; // it counts already: another window, or a second try
      const before = document.documentElement.dataset.section;
      byId("why").textContent = problem.message;
      open("failure");
      byId("again").focus();
      await pressed([byId("again")]);
      if (problem.status === 404) { // the study was begun anew
        sessionStorage.removeItem(KEY);
        location.reload();
      }
      open(before);
      whenFailed();
    }
  }
}

function invitation() {
  return new URLSearchParams(location.hash.slice(1)).get("invitation") ?? "";
}

async function begun() {
  const known = sessionStorage.getItem(KEY);
  if (known) {
    try {
      return await api.progress(known);
    } catch (problem) {
      if (problem.status !== 404) throw problem; // another study, at the same address
    }
  }
  const made = await api.begin(invitation());
  sessionStorage.setItem(KEY, made.participant);
  return made;
}

/** Trials with their pictures, each loaded once, one ahead. */
class Trials {
  constructor(about, participant) {
    this.about = about;
    this.participant = participant;
    this.loading = new Map(); // trial number -> promise of it with its pictures
  }

  load(number) {
    if (number > this.about.trials) return null;
    if (!this.loading.has(number)) {
      const trial = api.trial(this.participant, number);
      trial.catch(() => this.loading.delete(number)); // asked again, and said, when its turn comes
      this.loading.set(number, trial);
    }
    return this.loading.get(number);
  }

  surely(act) {
    return surely(act, () => this.loading.clear());
  }
}

function showPlace(trial, about, answered) {
  byId("place").textContent = trial.practice
    ? `Practice ${trial.number} of ${trial.of}` : `Pair ${trial.number} of ${trial.of}`;
  byId("progress").max = about.trials;
  byId("progress").value = answered;
  byId("place").hidden = byId("progress").hidden = false;
}

/**
 * Take a participant from the first words to the thanks.
 * @param {(about: object) => void} introduce  Fill in what the words leave open.
 * @param {(trial: object, trials: Trials) => Promise} run  Show a pair and send its answer.
 */
export async function takePart(introduce, run) {
  open("intro");
  const about = await surely(api.about);
  byId("minutes").textContent = plural(about.minutes, "minute");
  byId("stage").style.setProperty("--size", `${about.size_px}px`);
  introduce(about);
  byId("begin").focus({ preventScroll: true });
  document.documentElement.dataset.ready = "";
  await pressed([byId("begin")]);
  const { participant, answered: before } = await surely(begun);
  let answered = before;
  const trials = new Trials(about, participant);
  open("pair");
  while (answered < about.trials) {
    const number = answered + 1;
    const trial = await trials.surely(() => trials.load(number));
    if (trial !== null) {
      showPlace(trial, about, answered);
      await run(trial, trials);
    }
    ({ answered } = await surely(() => api.progress(participant)));
    trials.loading.delete(answered);
  }
  byId("place").hidden = byId("progress").hidden = true;
  byId("kept").textContent = `${plural(about.trials, "answer")} have been kept. You can close this page.`;
  open("end");
  byId("thanks").focus();
}
