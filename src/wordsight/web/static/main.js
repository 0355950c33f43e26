// Where the page begins: it looks at its address and shows what that says.

import { go, read, visit } from "./address.js";
import { catchPictures } from "./drop.js";
import { renderBar } from "./bar.js";
import { openHelp } from "./help.js";
import * as search from "./search.js";
import { isTyping } from "./ui.js";
import { showViewer } from "./viewer.js";

const PAGES = {
  "/": async () => search,
  "/library": () => import("./library.js"),
  "/reports": () => import("./reports.js"),
};
const main = document.getElementById("main");
let shown = null;

async function show() {
  const path = location.pathname in PAGES ? location.pathname : "/";
  const state = read();
  renderBar(path, state);
  const page = await PAGES[path]();
  if (path !== shown?.path) {
    shown?.page.leave?.();
    main.replaceChildren();
    delete main._$litPart$; // another page draws here now
    if (shown) scrollTo(0, 0);
    shown = { path, page };
    document.body.dataset.page = path.slice(1) || "search";
  }
  document.title = page.title(state);
  page.show(main, state);
  showViewer(path === "/" ? state : null);
}

function followLink(event) {
  const link = event.target.closest("a[href]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!(link.pathname in PAGES) || link.hash) return;
  event.preventDefault();
  visit(link.pathname + link.search);
}

function command(event) {
  if (isTyping(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") document.getElementById("q").focus();
  else if (event.key === "?") openHelp();
  else if (event.key === "Escape" && read().view) go({ view: "" });
  else return;
  event.preventDefault();
}

history.scrollRestoration = "manual";
addEventListener("popstate", show);
addEventListener("navigate", show);
addEventListener("click", followLink);
addEventListener("keydown", command);
catchPictures();
show().then(() => performance.mark("interactive"));
