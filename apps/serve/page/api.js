// What the server is asked. An answer that is no answer is thrown with the server's own sentence.

/** The answer to a question of the API. */
export async function ask(path, parameters) {
  const query = new URLSearchParams(parameters ?? {}).toString();
  let response;
  try {
    response = await fetch(`v1/${path}${query && `?${query}`}`);
  } catch {
    throw new Error("The server does not answer. Is ./stormwatch serve still running?");
  }
  const told = await response.json();
  if (!response.ok) throw new Error(told.error);
  return told;
}

/** Call `newer(part, state)` for each part of the state that is new, `lost(since)` while unconnected. */
export function follow(newer, lost) {
  const source = new EventSource("v1/events");
  let since = null;
  for (const part of ["rates", "alerts", "ledgers", "trouble"]) {
    source.addEventListener(part, (event) => {
      since = null;
      newer(part, JSON.parse(event.data));
    });
  }
  source.addEventListener("error", () => {
    since ??= Date.now();
    lost(since);
  });
}
