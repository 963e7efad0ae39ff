// Try it: what is seen here, and what to break.
import { h, put } from "../dom.js";

export async function tour(root) {
  put(root, h("h1", {}, "Try it"), h("p", { class: "quiet" }, "Coming."));
  return {};
}
