/** The real-or-fake study: one picture after the other; which was real? */

import { byId } from "/page/service/dom.js";
import * as api from "/page/api.js";
import { plural, pressed, say, takePart } from "/page/flow.js";
import { showPair } from "/page/showing.js";

const images = [byId("picture-1"), byId("picture-2")];
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

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

async function run(trial, trials) {
  ask("nothing");
  await wishedFor();
  /** @type {HTMLElement | null} */ (document.activeElement)?.blur();
  const { seconds, gap_seconds: gap } = trials.about;
  const shown = await showPair(byId("stage"), images, trial.sources, { ms: seconds * 1000, gapMs: gap * 1000, say });
  trials.load(trial.trial + 1);
  const answer = await question();
  ask("nothing");
  const counted = await trials.surely(() =>
    api.vote(trials.participant, trial.trial, { real: answer.real, shown_ms: shown, answer_ms: answer.answer_ms }));
  if (counted && counted.right !== null) await tell(counted.right, answer.real);
  ask("nothing");
}

takePart((about) => {
  byId("each").textContent = about.seconds === 1 ? "one second each" : `${plural(about.seconds, "second")} each`;
}, run);
