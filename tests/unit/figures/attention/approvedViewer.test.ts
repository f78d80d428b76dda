import { test } from "node:test";
import type { Numbers } from "../../../../src/figures/attention/browser/evidence";
import type { ViewState } from "../../../../src/figures/attention/browser/state";
import { type PageClasses, type PageOptions, viewerPage } from "../../../../src/figures/attention/page";
import { Calls } from "../../../support/calls";
import { Page, type PageElement, run, shownOf, soon, until } from "../pageElements";
import { syntheticMaps } from "../syntheticMaps";
import { syntheticNumbers } from "../syntheticNumbers";

/*
 * The scripts of pages, as they are built, run on elements that note what is done to them. What browsers make of it is tested
 * in browsers.
 */

const layers = { "blocks.0": 2, "blocks.1": 3, "llama.layers.0": 2 };
const maps = syntheticMaps({ grid: { rows: 2, columns: 3 }, layers, side: 24 });
const numbers = syntheticNumbers(maps, { classes: 3, labels: 4 });
const classes: PageClasses = {
  labels: ["ant", "bee", "cat", "dog"],
  choices: [2, 0, 3],
  methods: ["chefer", "legrad"],
};

/** The viewer of models in a page, its script run. */
async function opened(
  page: Page,
  models: readonly { title: string; maps: typeof maps; numbers: Numbers }[],
  about: PageClasses,
  options: Partial<PageOptions> = {},
) {
  const { html } = await viewerPage(models, about, { title: "What & where", maxBytes: 1e7, ...options });
  const part = (name: string) => new RegExp(`class="luvit-attention-${name}">([^<]*)<`).exec(html)![1];
  const host = page.element("div", { class: "luvit-attention" });
  for (const name of ["header", "data"])
    host.append(page.element("script", { class: `luvit-attention-${name}` }, part(name)));
  page.body.append(host);
  run("attention/browser/main");
  await until(() => host.dataset.alive);
  const root = host.shadow?.children[1] as PageElement;
  const state = () => JSON.parse(host.dataset.state!) as ViewState;
  const stages = root.querySelectorAll(".stage");
  return { host, root, state, stages };
}

const texts = (root: PageElement, ...names: string[]) =>
  names.map((name) =>
    root
      .querySelectorAll(name)
      .map((element) => element.textContent)
      .join(" | "),
  );

test("the viewer of one model without numbers beside its attention is approved", async () => {
  const page = new Page();
  const calls = new Calls();
  const { host, root, state, stages } = await opened(page, [{ title: "ViT", maps, numbers: new Map() }], {
    labels: [],
    choices: [],
    methods: [],
  });
  calls.note("shown", shownOf(root).split(/(?=<(?:section|p|div|h3|h4|button|label))/));
  calls.note("state", state());
  calls.note("alive", [host.dataset.ready, host.dataset.alive, root.className, page.log]);
  stages[0].drawn.splice(0);
  stages[0].send("keydown", { key: "Home" });
  calls.note("strokes", stages[0].drawn);
  calls.note("words", texts(root, ".readout", ".subtitle", ".what", ".said", ".explain", ".hint"));
  calls.approve("figures/attention/plainViewer");
});

test("the viewer of two models: what it shows, and what pointers, keys and buttons do, is approved", async () => {
  const page = new Page();
  const calls = new Calls();
  const asked: unknown[] = [];
  let answer: ((value: unknown) => void) | undefined;
  (globalThis as { luvitKernelLink?: unknown }).luvitKernelLink = (live: unknown) => {
    asked.push(live);
    return {
      ask: (...given: unknown[]) => {
        asked.push(given);
        return new Promise((resolve, reject) => {
          answer = (value) => (value instanceof Error ? reject(value) : resolve(value));
        });
      },
    };
  };
  page.body.setAttribute("data-luvit-page", "");
  page.location.hash = "#query=2&view=head&heads=1,0";
  const fewer = syntheticMaps({
    grid: { rows: 2, columns: 3 },
    layers: { "blocks.0": 2, "blocks.1": 3 },
    side: 24,
    seed: 5,
  });
  const models = [
    { title: "ViT", maps: fewer, numbers: syntheticNumbers(fewer, { classes: 3, labels: 4, seed: 3 }) },
    { title: "LUViT", maps, numbers },
  ];
  const { host, root, state, stages } = await opened(page, models, classes, {
    live: { kernel: "k", page: "p" },
  });
  calls.note("asks", asked.splice(0));
  calls.note("shown", shownOf(root).split(/(?=<(?:section|p|div|h3|h4|button|label))/));
  const stageOf = (index: number) => stages[index];
  const step = async (name: string, act: () => unknown) => {
    for (const index of [0, 1]) stageOf(index).drawn.splice(0);
    const before = state();
    const came = await act();
    const changed = Object.fromEntries(
      Object.entries(state()).filter(
        ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key as keyof ViewState]),
      ),
    );
    const words = texts(root, ".readout", ".answer", ".subtitle", ".what", ".said");
    calls.note(name, {
      came,
      changed,
      words,
      strokes: [0, 1].map((index) => stageOf(index).drawn.length),
      log: page.log.splice(0),
    });
  };
  stageOf(0).clientWidth = 300;
  stageOf(0).clientHeight = 200;
  const mouse = { pointerType: "mouse" };
  await step("pointer over a patch", () =>
    stageOf(0).send("pointermove", { offsetX: 250, offsetY: 150, ...mouse }),
  );
  await step("pointer on", () => stageOf(0).send("pointermove", { offsetX: 10, offsetY: 150, ...mouse }));
  await step("next frame", () => page.frame());
  await step("frame after", () => page.frame());
  await step("a finger", () =>
    stageOf(0).send("pointermove", { offsetX: 250, offsetY: 10, pointerType: "touch" }),
  );
  await step("click pins", () => stageOf(0).send("click", { offsetX: 999, offsetY: -5 }));
  await step("pointer over another", () => {
    stageOf(0).send("pointermove", { offsetX: 10, offsetY: 10, ...mouse });
    page.frame();
    page.frame();
  });
  await step("pointer leaves", () => {
    stageOf(0).send("pointerleave");
    page.frame();
    page.frame();
  });
  await step("click lets go", () => stageOf(0).send("click", { offsetX: 299, offsetY: 0 }));
  for (const key of ["ArrowDown", "Escape", "Enter", " ", "c", "x"])
    await step(`key ${key}`, () => stageOf(0).send("keydown", { key }));
  await step("key with ctrl", () => stageOf(0).send("keydown", { key: "c", ctrlKey: true }));
  await step("class token", () => root.querySelectorAll(".class-token")[1].click());
  const radios = root.querySelectorAll("input");
  for (const label of [
    "ViT block 1 (blocks.0)",
    "LLaMA block (llama.layers.0)",
    "The largest attention any head gives",
    "How spread out the attention of every patch is",
    "Where the evidence for the chosen class is",
    "Evidence by LeGrad",
    "How sure every patch would be of the chosen class if the model ended here",
    "How long the tokens are that the layer is given",
    "Mean entropy of the head's attention",
    "How far the head looks, mean over the patches",
    "Attention of the query, averaged over the heads",
  ])
    await step(`radio ${label}`, () =>
      radios.find((one) => one.attributes.get("aria-label") === label)?.send("change"),
    );
  const boxes = radios.filter((one) => one.attributes.get("type") === "checkbox");
  for (const [i, box] of boxes.entries())
    await step(`box ${i}`, () => {
      box.checked = !box.checked;
      box.send("change");
    });
  await step("slider", () => {
    const slider = radios.find((one) => one.attributes.get("type") === "range")!;
    slider.value = "25";
    slider.send("input");
  });
  await step("a thumbnail", () => root.querySelectorAll(".head")[1].click());
  await step("the same again", () => root.querySelectorAll(".head")[1].click());
  const choices = root.querySelectorAll(".choice");
  await step("a class", () => choices[1].click());
  for (const key of ["ArrowDown", "ArrowUp", "ArrowLeft", "a"])
    await step(`class by ${key}`, () => choices[1].send("keydown", { key }));
  const cells = root.querySelectorAll(".cell");
  await step("a head is pointed at", () => cells[3].send("pointerenter", mouse));
  await step("left", () => root.querySelectorAll(".head-grid")[0].send("pointerleave"));
  await step("a head is off", () => cells[3].click());
  await step("another", () => cells[0].click());
  calls.note("asked", asked.splice(0));
  await step("the kernel answers", async () => {
    answer!({ chances: Float32Array.of(0.5, 0.25, 0.125), top: { label: "bee", chance: 0.5 } });
    await soon();
  });
  await step("a third", () => cells[1].click());
  await step("the kernel does not", async () => {
    answer!(new Error("the kernel is gone"));
    await soon();
  });
  await step("two on again", () => {
    cells[0].click();
    cells[1].click();
  });
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowLeft", "End"])
    await step(`heads by ${key}`, () => [cells[0].send("keydown", { key }), cells.indexOf(page.focused!)]);
  await step("address", () => {
    page.location.hash = "#view=max&layer=blocks.0";
    page.send("hashchange");
  });
  await step("address is written", () => soon(300));
  for (const button of root.querySelectorAll(".foot")[0].querySelectorAll("button"))
    await step(`button ${button.textContent}`, () => {
      button.click();
      return shownOf(root.querySelectorAll(".made")[0]);
    });
  await step("dark", () => {
    page.body.dataset.jpThemeLight = "false";
    page.changed("mutation");
    return [root.dataset.theme, root.properties.get("--accent"), root.properties.get("--background")];
  });
  stageOf(1).drawn.splice(0);
  page.location.hash =
    "#lines=1&outline=1&pinned=1&query=5&strength=0.5&scale=1&view=mean&layer=llama.layers.0";
  page.send("hashchange");
  calls.note("strokes", stageOf(1).drawn);
  calls.note("state", state());
  calls.note("alive", host.dataset.alive);
  calls.approve("figures/attention/viewer");
});
