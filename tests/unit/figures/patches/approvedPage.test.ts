import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { AnswerAttention } from "../../../../src/analysis/answers/answerAttention";
import { answerViewer } from "../../../../src/figures/patches/answerViewer";
import { Calls } from "../../../support/calls";
import { Page, type PageElement, run, shownOf, until } from "../pageElements";

test("patches in a page: choices, pointing, keys and scales are approved", async () => {
  const page = new Page();
  const calls = new Calls();
  const weights = (step: number) =>
    Float32Array.from({ length: 2 * 2 * 6 }, (_, i) => ((i * step) % 17) / 100);
  const image = {
    values: Float32Array.from({ length: 3 * 144 }, (_, i) => Math.sin(i)),
    side: 12,
    grid: { rows: 2, columns: 3 },
  };
  const looked = new AnswerAttention("what <is> it?", "red", ["red", "</s>"], image, [
    { layer: "layers.0", heads: 2, weights: weights(5) },
    { layer: "layers.1", heads: 2, weights: weights(7) },
  ]);
  const { html } = await answerViewer(looked);
  const part = (name: string) => new RegExp(`class="luvit-patches-${name}">([^<]*)<`).exec(html)![1];
  const header = JSON.parse(part("header"));
  calls.note("header", { ...header, image: header.image.slice(0, 22), colors: header.colors.length });
  const host = page.element("div", { class: "luvit-patches" });
  for (const name of ["header", "data"])
    host.append(page.element("script", { class: `luvit-patches-${name}` }, part(name)));
  page.body.append(host);
  run("patches/browser/main");
  await until(() => host.dataset.alive);
  const root = host.shadow!.children[1] as PageElement;
  const stage = root.querySelectorAll(".stage")[0];
  [stage.clientWidth, stage.clientHeight] = [300, 200];
  calls.note("shown", shownOf(root).replace(/-0\.\d+/g, "-group"));
  const step = (name: string, act: () => unknown) => {
    stage.drawn.splice(0);
    const came = act();
    calls.note(name, {
      came,
      words: root.querySelectorAll(".readout")[0].textContent,
      most: root.querySelectorAll(".scale")[0].textContent,
      label: stage.getAttribute("aria-label") === root.querySelectorAll(".readout")[0].textContent,
      strokes: stage.drawn.length,
    });
  };
  const inputs = root.querySelectorAll("input");
  for (const [i, input] of inputs.entries())
    step(`choice ${i}`, () => {
      input.checked = true;
      input.send("change");
    });
  step("no one scale", () => {
    inputs.at(-1)!.checked = false;
    inputs.at(-1)!.send("change");
  });
  step("pointer", () => stage.send("pointermove", { offsetX: 250, offsetY: 150 }));
  step("the same patch", () => stage.send("pointermove", { offsetX: 260, offsetY: 150 }));
  step("beyond", () => stage.send("pointerdown", { offsetX: 999, offsetY: -9 }));
  step("a finger leaves", () => stage.send("pointerleave", { pointerType: "touch" }));
  step("the mouse leaves", () => stage.send("pointerleave", { pointerType: "mouse" }));
  for (const key of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "x"])
    step(`key ${key}`, () => stage.send("keydown", { key }));
  step("key with ctrl", () => stage.send("keydown", { key: "ArrowDown", ctrlKey: true }));
  stage.drawn.splice(0);
  stage.send("pointermove", { offsetX: 150, offsetY: 150 });
  calls.note("strokes", stage.drawn);
  page.body.dataset.jpThemeLight = "false";
  page.changed("mutation");
  calls.note("dark", [root.properties.get("--accent"), root.properties.get("--background")]);
  calls.approve("figures/patches/page");
});

test("Plotly's figures in a page share its library", async () => {
  const page = new Page();
  const calls = new Calls();
  const drawn: unknown[] = [];
  const shared = globalThis as { Plotly?: unknown; luvitPlotly?: unknown; plotted?: unknown };
  shared.plotted = (...given: unknown[]) => void drawn.push(given.slice(1));
  const hostOf = (packed: string) => {
    const host = page.element("div", { class: "luvit-plotly" });
    host.append(
      page.element("p", {}, "words"),
      page.element("script", { class: "luvit-figure" }, '{"data":[{"type":"pie"}],"layout":{"height":3}}'),
      page.element("script", { class: "luvit-plotly-library" }, packed),
    );
    page.body.append(host);
    return host;
  };
  const { append } = page.body;
  page.body.append = function (...given) {
    append.call(this, ...given);
    for (const one of given)
      if (typeof one !== "string" && one.tagName === "script") runInThisContext(one.textContent);
  };
  const warned: unknown[] = [];
  const { warn } = console;
  console.warn = (...given: unknown[]) => void warned.push(given.map(String)[0]);
  const broken = hostOf("AAAA");
  run("plotly/browser/main");
  await until(() => warned.length > 0);
  calls.note("broken", [
    broken.dataset.alive,
    (broken.children[0] as PageElement).hidden,
    warned.splice(0),
    shared.luvitPlotly === undefined,
  ]);
  const packed = gzipSync(
    "globalThis.Plotly = { newPlot: async (...given) => plotted(...given) }; globalThis.hadModule = typeof module;",
  ).toString("base64");
  const [one, two] = [hostOf(packed), hostOf(packed)];
  run("plotly/browser/main");
  await until(() => one.dataset.alive && two.dataset.alive);
  calls.note("drawn", drawn);
  for (const host of [one, two])
    calls.note("host", [host.dataset.alive, (host.children[0] as PageElement).hidden, host.children.length]);
  calls.note("scripts", [
    page.body.children.filter((child) => typeof child !== "string" && child.tagName === "script").length,
    (globalThis as { hadModule?: string }).hadModule,
    warned,
  ]);
  console.warn = warn;
  calls.approve("figures/plotly/page");
});
