import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { pageStyle } = require("../../dist/notebook/pageStyle.js");

/** The one style sheet: that of executed notebooks, and what the site adds. */
export function styleSheet() {
  return pageStyle + readFileSync(new URL("site.css", import.meta.url), "utf8");
}

/** What is wider than its place is reached by keys; the class of a page that came by a link is left as it was. */
export const script = `addEventListener("load", () => {
  const reach = () => {
    for (const one of document.querySelectorAll("pre, .wide, .output, .output *, main table")) {
      const { overflowX, overflowY } = getComputedStyle(one);
      const isWide = one.scrollWidth > one.clientWidth && /auto|scroll/.test(overflowX);
      const isHigh = one.scrollHeight > one.clientHeight && /auto|scroll/.test(overflowY);
      if (isWide || isHigh) one.tabIndex = 0;
    }
  };
  reach();
  addEventListener("resize", reach);
});
`;
