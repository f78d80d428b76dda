import { make } from "../../browser/dom";
import type { Evidence, Head, Known } from "./evidence";
import { headName, percent } from "./state";

/** The classes that can be chosen, with the model's probabilities; with heads off, beside them those it has then. */
export class Answers {
  readonly element: HTMLElement;
  private shown = "";
  private readonly said = make("p", { class: "answer" });
  private readonly rows: { button: HTMLElement; now: HTMLElement; before: HTMLElement; text: HTMLElement }[];

  constructor(
    private readonly evidence: Evidence,
    labels: readonly string[],
    title: string,
    choose: (choice: number) => void,
  ) {
    this.rows = labels.map((label, choice) => {
      const [now, before, text] = [make("i"), make("i", { class: "before" }), make("b")];
      const meter = make("span", { class: "meter" }, before, now);
      const name = make("span", { class: "class-name", title: label }, label);
      const button = make("button", { type: "button", role: "radio", class: "choice" }, name, meter, text);
      button.addEventListener("click", () => choose(choice));
      button.addEventListener("keydown", (event) => this.move(event, choice, choose));
      return { button, now, before, text };
    });
    const list = make("div", { role: "radiogroup", "aria-label": `Classes of ${title}`, class: "choices" });
    list.append(...this.rows.map(({ button }) => button));
    this.element = make("div", { class: "answers" }, this.said, list);
  }

  update(choice: number, off: readonly Head[], known: Known | undefined): void {
    const without = known && "answer" in known ? known.answer : undefined;
    const now = JSON.stringify([choice, off, without?.top, known]);
    if (now === this.shown) return;
    this.shown = now;
    const whole = this.evidence.chances()!;
    this.said.textContent = this.words(off, known);
    for (const [i, { button, now, before, text }] of this.rows.entries()) {
      const chance = without?.chances[i] ?? whole[i]!;
      now.style.setProperty("width", `${100 * chance}%`);
      before.style.setProperty("width", `${100 * whole[i]!}%`);
      const change = without ? `${percent(whole[i]!)} → ${percent(chance)}` : percent(chance);
      text.textContent = change;
      button.setAttribute("aria-checked", String(i === choice));
      button.setAttribute("tabindex", i === choice ? "0" : "-1");
    }
  }

  /** The answer in words; after `update`. */
  get line(): string {
    return this.said.textContent!;
  }

  private words(off: readonly Head[], known: Known | undefined): string {
    const { label, chance } = this.evidence.top!;
    const whole = `Answer: ${label} (${percent(chance)}).`;
    if (off.length === 0) return whole;
    const names = off.map(headName).join(", ");
    if (!known || "why" in known) return `${whole} Without ${names}: ${known?.why ?? "not computed"}.`;
    const { top } = known.answer;
    return `${whole} Without ${names}: ${top.label} (${percent(top.chance)}).`;
  }

  private move(event: KeyboardEvent, choice: number, choose: (choice: number) => void): void {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (choice + step + this.rows.length) % this.rows.length;
    choose(next);
    this.rows[next]!.button.focus();
  }
}
