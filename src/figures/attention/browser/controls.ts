import { make } from "../../browser/dom";
import type { View } from "./rows";
import { layerLabel, type ViewState } from "./state";
import { methodName } from "./words";

/** Changes part of the state and draws again. */
export type Change = (part: Partial<ViewState>) => void;

/** The row of settings above the images. */
export interface Controls {
  readonly element: HTMLElement;
  /** Shows what the state says. */
  update(state: ViewState): void;
}

const titles: readonly [View, string, string][] = [
  ["mean", "mean of heads", "Attention of the query, averaged over the heads"],
  ["max", "max of heads", "The largest attention any head gives"],
  ["head", "one head", "Attention of one head; choose it below the image"],
  ["rollout", "rollout", "Attention followed through all layers up to this one (Abnar & Zuidema 2020)"],
  ["entropy", "entropy", "How spread out the attention of every patch is"],
  ["relevance", "evidence", "Where the evidence for the chosen class is"],
  ["lens", "what patches say", "How sure every patch would be of the chosen class if the model ended here"],
  ["norms", "norms", "How long the tokens are that the layer is given"],
];

let groups = 0;

export function makeControls(
  layers: readonly string[],
  options: { hasObject: boolean; isPair: boolean; views: readonly View[]; methods: readonly string[] },
  change: Change,
): Controls {
  const layer = segments(
    "Layer",
    layers.map((name) => [name, layerLabel(name).short, layerLabel(name).long]),
    (name) => change({ layer: name }),
    layers[0]?.startsWith("blocks.") ? "ViT block" : undefined,
  );
  const shown = titles.filter(([name]) => options.views.includes(name));
  const view = segments("Show", shown, (name) => change({ view: name as View }));
  const method = segments(
    "By",
    options.methods.map((name) => [name, methodName(name), `Evidence by ${methodName(name)}`]),
    (name) => change({ method: name, view: "relevance" }),
  );
  const strength = slider((value) => change({ strength: value }));
  const boxes: [keyof ViewState, Checkbox][] = [
    ["lines", checkbox("patch grid", (lines) => change({ lines }))],
    ...(options.hasObject
      ? [
          ["outline", checkbox("object outline", (outline) => change({ outline }))] as [
            keyof ViewState,
            Checkbox,
          ],
        ]
      : []),
    ...(options.isPair
      ? [
          ["sameScale", checkbox("same scale", (sameScale) => change({ sameScale }))] as [
            keyof ViewState,
            Checkbox,
          ],
        ]
      : []),
  ];
  const details = make("div", { class: "details" }, strength.element, ...boxes.map(([, box]) => box.element));
  return {
    element: make(
      "div",
      { class: "controls" },
      layer.element,
      view.element,
      ...(options.methods.length > 1 ? [method.element] : []),
      details,
    ),
    update(state) {
      layer.update(state.layer);
      view.update(state.view);
      method.update(state.method);
      strength.input.value = String(Math.round(100 * state.strength));
      for (const [key, { input }] of boxes) input.checked = state[key] === true;
    },
  };
}

/** Buttons of which one is down; radio buttons underneath, so that arrow keys work. */
export function segments(
  title: string,
  choices: readonly (readonly [value: string, label: string, hint: string])[],
  choose: (value: string) => void,
  before?: string,
): { element: HTMLElement; update(value: string): void } {
  const name = `luvit-${title}-${groups++}`;
  const inputs = new Map<string, HTMLInputElement>();
  const labels = choices.map(([value, text, hint]) => {
    const input = make("input", { type: "radio", name, value, "aria-label": hint });
    input.addEventListener("change", () => choose(value));
    inputs.set(value, input);
    return make("label", { title: hint }, input, make("span", {}, text));
  });
  const group = make("div", { class: "segments", role: "radiogroup", "aria-label": title });
  if (before) group.append(make("em", {}, before));
  group.append(...labels);
  return {
    element: make("div", { class: "setting" }, make("span", { class: "name" }, title), group),
    update(value) {
      for (const [own, input] of inputs) input.checked = own === value;
    },
  };
}

interface Checkbox {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
}

function checkbox(title: string, set: (on: boolean) => void): Checkbox {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => set(input.checked));
  return { element: make("label", { class: "check" }, input, title), input };
}

function slider(set: (value: number) => void): Checkbox {
  const input = make("input", { type: "range", min: "0", max: "100" });
  input.addEventListener("input", () => set(Number(input.value) / 100));
  return { element: make("label", { class: "check" }, "colors", input), input };
}
