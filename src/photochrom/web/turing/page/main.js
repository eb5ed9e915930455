/** The study, from its two sentences to its thanks. */

import { byId } from "/page/house/dom.js";
import * as api from "/page/api.js";
import { showPair } from "/page/showing.js";

const KEY = "photochrom-study-participant";
const SECTIONS = ["intro", "pair", "failure", "end"];
const images = [byId("picture-1"), byId("picture-2")];
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

let about = null; // what taking part means: trials, minutes, size_px, seconds, gap_seconds
let participant = null; // where they stand: their id as participant, answered
const loading = new Map(); // trial number -> promise of it with its pictures

const say = (text) => { byId("said").textContent = text; };
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function open(section) {
  for (const name of SECTIONS) byId(name).hidden = name !== section;
  document.documentElement.dataset.section = section;
}

/** Wait for a press of one of some buttons, or of their keys. */
function pressed(buttons, keys = {}) {
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
async function surely(act) {
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
      loading.clear();
    }
  }
}

function load(number) {
  if (number > about.trials) return null;
  if (!loading.has(number)) {
    const trial = api.trial(participant.participant, number);
    trial.catch(() => loading.delete(number)); // asked again, and said, when its turn comes
    loading.set(number, trial);
  }
  return loading.get(number);
}

function showPlace(trial) {
  byId("place").textContent = trial.practice
    ? `Practice ${trial.number} of ${trial.of}` : `Pair ${trial.number} of ${trial.of}`;
  byId("progress").max = about.trials;
  byId("progress").value = participant.answered;
  byId("place").hidden = byId("progress").hidden = false;
}

/** Let only one of the question and the practice's answer be there, or keep an empty place. */
function ask(what) {
  byId("question").hidden = what === "feedback";
  byId("question").classList.toggle("is-hushed", what !== "question");
  byId("feedback").hidden = what !== "feedback";
}

async function question() {
  ask("question");
  const answers = [...document.querySelectorAll(".answer")];
  const asked = performance.now();
  say("Which was real? Press 1 for the first, 2 for the second.");
  byId("asked").focus({ preventScroll: true });
  const button = await pressed(answers, { 1: answers[0], 2: answers[1] });
  return { real: Number(button.dataset.real), answer_ms: performance.now() - asked };
}

async function tell(right, real) {
  const truth = right ? real : 3 - real;
  byId("verdict").textContent = `${right ? "Right" : "No"}: the ${truth === 1 ? "first" : "second"} was real.`;
  ask("feedback");
  say(byId("verdict").textContent);
  byId("next").focus({ preventScroll: true });
  await pressed([byId("next")]);
}

/** Those who asked for less motion start each pair themselves. */
async function wishedFor() {
  if (!reducedMotion.matches) return;
  byId("show").hidden = false;
  byId("show").focus({ preventScroll: true });
  await pressed([byId("show")]);
  byId("show").hidden = true;
}

async function run(number) {
  ask("nothing");
  const trial = await surely(() => load(number));
  if (trial === null) return;
  showPlace(trial);
  await wishedFor();
  document.activeElement?.blur();
  const shown = await showPair(byId("stage"), images, trial.sources, {
    ms: about.seconds * 1000, gapMs: about.gap_seconds * 1000, say,
  });
  load(number + 1);
  const answer = await question();
  ask("nothing");
  const counted = await surely(() =>
    api.vote(participant.participant, number, { real: answer.real, shown_ms: shown, answer_ms: answer.answer_ms }));
  if (counted && counted.right !== null) await tell(counted.right, answer.real);
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
  const made = await api.begin();
  sessionStorage.setItem(KEY, made.participant);
  return made;
}

async function takePart() {
  open("intro");
  about = await surely(api.about);
  byId("each").textContent = about.seconds === 1 ? "one second each" : `${plural(about.seconds, "second")} each`;
  byId("minutes").textContent = plural(about.minutes, "minute");
  byId("stage").style.setProperty("--size", `${about.size_px}px`);
  byId("begin").focus({ preventScroll: true });
  document.documentElement.dataset.ready = "";
  await pressed([byId("begin")]);
  participant = await surely(begun);
  open("pair");
  while (participant.answered < about.trials) {
    await run(participant.answered + 1);
    participant = await surely(() => api.progress(participant.participant));
    loading.delete(participant.answered);
  }
  byId("place").hidden = byId("progress").hidden = true;
  byId("kept").textContent = `${plural(about.trials, "answer")} have been kept. You can close this page.`;
  open("end");
  byId("thanks").focus();
}

takePart();
