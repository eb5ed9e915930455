/** The study's service; every failure is a Problem that says what to do. */

/** What went wrong, as application/problem+json says it. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function request(path, json) {
  let response;
  try {
    response = await fetch(path, json === undefined ? {} : {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(json),
    });
  } catch {
    throw new Problem(0, "The study does not answer. Look at your connection and try again.");
  }
  if (response.ok) return response;
  const { detail } = await response.json().catch(() => ({}));
  throw new Problem(response.status, detail ?? `The study answered ${response.status}.`);
}

const base = "/v1/participants";
const get = async (path) => (await request(path)).json();

export const about = () => get("/v1/study");
export const begin = async (invitation) => (await request(base, { invitation })).json();
export const progress = (participant) => get(`${base}/${participant}`);
const answer = async (participant, number, kind, what) =>
  (await request(`${base}/${participant}/trials/${number}/${kind}`, what)).json();
export const vote = (participant, number, what) => answer(participant, number, "vote", what);
export const choose = (participant, number, what) => answer(participant, number, "choice", what);

/** Give a trial with both pictures loaded, as addresses inside the browser. */
export async function trial(participant, number) {
  const described = await get(`${base}/${participant}/trials/${number}`);
  const sources = await Promise.all(described.pictures.map(async (path) =>
    URL.createObjectURL(await (await request(path)).blob())));
  return { ...described, sources };
}
