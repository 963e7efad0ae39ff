// What the server is asked and told. An answer that is none is thrown with the server's own sentence.

/** No answer: `status` 0 where nobody answered; `told` is what the server said. */
export class Refused extends Error {
  constructor(message, status, told) {
    super(message);
    this.status = status;
    this.told = told ?? {};
  }
}

async function asked(path, options) {
  let response;
  try {
    response = await fetch(`v1/${path}`, options);
  } catch {
    throw new Refused("The server does not answer. Is ./stormwatch serve still running?", 0);
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Refused(told.error ?? `The server answered ${response.status}.`, response.status, told);
  }
  return told;
}

/** The answer to a question of the API. */
export function ask(path, parameters) {
  const query = new URLSearchParams(parameters ?? {}).toString();
  return asked(path + (query && `?${query}`));
}

/** The decisions of an entity; none where nothing is remembered of it any more. */
export function decisionsOf(parameters) {
  return ask("decisions", parameters).catch((error) => {
    if (error.status === 404) return { decisions: [], next: null };
    throw error;
  });
}

/** Write: a body that is no text goes as JSON. `seen`: the version that was looked at. */
export function tell(method, path, body, seen) {
  const plain = typeof body === "string";
  const headers = { "X-Stormwatch": "1", "Content-Type": plain ? "text/plain" : "application/json" };
  if (seen !== undefined) headers["If-Match"] = `"${seen}"`;
  return asked(path, { method, headers, keepalive: true, body: plain ? body : JSON.stringify(body) });
}

const AGAIN_MS = 5_000;

/** Call `newer(part, text)` with the JSON of each part of the state that is new, `lost(since)` while unconnected,
 * and `out(why)` once the token holds no more. */
export function follow(newer, lost, out) {
  let source, since = null;
  function gone() {
    since ??= Date.now();
    lost(since);
  }
  /** Why the stream was refused: a browser does not tell, and does not ask again. */
  function refused() {
    source.close();
    ask("streams").then(() => setTimeout(connect, AGAIN_MS), (error) => {
      if (error.status === 401) out(error.message);
      else setTimeout(connect, AGAIN_MS);
    });
  }
  function connect() {
    source = new EventSource("v1/events");
    for (const part of ["rates", "alerts", "ledgers", "trouble"]) {
      source.addEventListener(part, (event) => {
        since = null;
        newer(part, event.data);
      });
    }
    source.addEventListener("signed-out", refused);
    source.addEventListener("again", () => { // a stream lasts for some minutes: nothing is lost
      source.close();
      connect();
    });
    source.addEventListener("error", () => {
      gone();
      if (source.readyState === EventSource.CLOSED) refused();
    });
  }
  connect();
  // A browser that keeps the page it left would keep its connection, too, and has six for a server.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
