import { badColor, doneGround, stateColors } from "../figures/theme";
import { escapeHtml } from "./html";

/** How something goes on or has ended. */
export type State = keyof typeof stateColors;

/** Said aside: explanations, units, counts. Legible on white and on near-black. */
export const muted = "opacity:.72";

/** White on its own ground: no one color of letters is legible on white and on near-black. */
const badge = (ground: string) =>
  `color:#fff;background:${ground};font-weight:600;border-radius:3px;padding:0 5px`;

/** Numbers that are none, and what failed. */
export const bad = badge(badColor);

/** The element around a display: width and font of all displays, and its content in words. */
export function container(className: string, label: string, inner: string): string {
  const style = "max-width:720px;font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums";
  const role = label === "" ? "" : ` role="group" aria-label="${escapeHtml(label)}"`;
  return `<div class="${className}"${role} style="${style}">${inner}</div>`;
}

/** A bar that is filled to a share of 0 to 1. */
export function bar(share: number, state: State, style = ""): string {
  const width = (100 * Math.min(1, Math.max(0, share))).toFixed(1);
  return (
    `<div style="height:5px;border-radius:3px;background:rgba(128,128,128,.25);overflow:hidden;${style}">` +
    `<div style="height:100%;width:${width}%;background:${stateColors[state]}"></div></div>`
  );
}

/** A line said aside. */
export function aside(text: string): string {
  return `<div style="${muted}">${escapeHtml(text)}</div>`;
}

/** A word that says how something ended; nothing while it goes on. */
export function stateMark(state: State): string {
  const ground = state === "done" ? doneGround : stateColors[state];
  return state === "running" ? "" : ` <b style="${badge(ground)}">${state}</b>`;
}

/** Why something failed, line by line. */
export function problemHtml(problem: string): string {
  const style = `border-left:3px solid ${badColor};padding-left:8px;white-space:pre-wrap;margin-top:4px`;
  return problem === "" ? "" : `<div style="${style}">${escapeHtml(problem)}</div>`;
}
