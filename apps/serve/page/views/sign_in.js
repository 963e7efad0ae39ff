// Who are you: a token, kept by the browser as a cookie that no script reads.
import { ask, tell } from "../api.js";
import { h, put } from "../dom.js";

export async function signIn(root, page) {
  root.classList.add("reading");
  const session = await ask("session");
  const said = h("div", { role: "status" });
  const field = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, "aria-label": "Token" });
  const form = h("form", { class: "own", onsubmit: async (event) => {
    event.preventDefault();
    try {
      await tell("POST", "session", { token: field.value.trim() });
      location.hash = page.last === "#sign-in" ? "#now" : page.last;
      location.reload();
    } catch (error) {
      put(said, h("p", { class: "notice broken" }, error.message));
    }
  } }, h("input", { type: "text", autocomplete: "username", hidden: true, value: "token" }), field, h("button", {}, "Sign in"));
  const out = h("button", { onclick: async () => { await tell("DELETE", "session", {}).catch(() => null); location.reload(); } }, "Sign out");
  put(root, h("h1", {}, "Sign in"),
    page.out && !session.name ? h("p", { class: "notice person", role: "alert" }, `You are signed out. ${page.out}`) : null,
    session.name ? h("p", {}, `You are ${session.name}, ${session.role}. `, session.needed ? out : h("span", { class: "quiet" }, "This machine's user needs no token.")) : null,
    h("p", {}, "An operator makes a token: ", h("code", {}, "./stormwatch token add NAME --role analyst"), ". A viewer looks, an analyst decides alerts, an operator changes the rest."),
    form, said);
  return {};
}
