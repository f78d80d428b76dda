import { test } from "node:test";
import { Calls } from "../../../support/calls";
import { Page, type PageElement, run, shownOf, soon, until } from "../pageElements";

type Given = never;
const scatter = (more: object = {}) =>
  ({ type: "scatter", mode: "lines", name: "a & b", x: [1, 2, 4], y: [3, 1, 5], ...more }) as Given;
const figure = (data: unknown[], layout: object = {}) =>
  ({ data, layout: { width: 400, height: 300, ...layout } }) as Given;

/** A figure in a page, its script run. */
async function shown(page: Page, made: unknown, host = page.element("div", { class: "luvit-plot" })) {
  host.append(page.element("script", { class: "luvit-figure" }, JSON.stringify(made)));
  page.body.append(host);
  run("interactive/browser/main");
  await soon();
  return { host, root: host.shadow?.children[1] as PageElement };
}

test("a figure in a page: pointing, keys, zooming, the legend and files are approved", async () => {
  const page = new Page();
  const calls = new Calls();
  const two = figure(
    [
      scatter({ name: "one", legendgroup: "g" }),
      scatter({ name: "two", y: [2, 2, 2], legendgroup: "g" }),
      scatter({ name: "three", mode: "markers", y: [4, 1, 4] }),
    ],
    { showlegend: true, title: { text: "T" }, meta: { summary: "three & more" } },
  );
  const { host, root } = await shown(page, two);
  host.clientWidth = 380;
  const step = (name: string, act: () => unknown) => {
    const came = act();
    const [drawing, rectangle, ring, tip, tools] = root.children as PageElement[];
    calls.note(name, {
      came,
      paths: drawing.innerHTML.match(/<path d="[^"]*" fill="none" stroke="[^"]*" stroke-width="2"/g)?.length,
      tip: tip.hidden ? "hidden" : [tip.textContent, ...tip.properties],
      ring: ring.hidden ? "hidden" : [...ring.properties],
      rectangle: rectangle.hidden ? "hidden" : [...rectangle.properties],
      reset: tools.querySelectorAll("button")[0].hidden,
      zoomed: root.className,
      log: page.log.splice(0),
    });
  };
  calls.note("shown", shownOf(root));
  calls.note("host", [...host.attributes]);
  step("nothing yet", () => {});
  step("pointer", () => root.send("pointermove", { clientX: 74 + 5, clientY: 200 }));
  step("pointer on the right", () => root.send("pointermove", { clientX: 380, clientY: 120 }));
  step("pointer far away", () => root.send("pointermove", { clientX: 11, clientY: 21 }));
  for (const key of [
    "ArrowRight",
    "ArrowRight",
    "ArrowLeft",
    "ArrowDown",
    "ArrowDown",
    "ArrowDown",
    "ArrowUp",
    "x",
    "Escape",
  ])
    step(`key ${key}`, () => root.send("keydown", { key }));
  step("key with alt", () => root.send("keydown", { key: "ArrowRight", altKey: true }));
  step("blur", () => root.send("blur"));
  const at = (x: number, y: number, more: object = {}) => ({
    clientX: x + 10,
    clientY: y + 20,
    button: 0,
    pointerType: "mouse",
    ...more,
  });
  step("press", () => root.send("pointerdown", at(100, 120)));
  step("drag", () => root.send("pointermove", at(220, 180)));
  step("release", () => root.send("pointerup", at(220, 180)));
  step("press again", () => root.send("pointerdown", at(100, 120)));
  step("release nearby", () => root.send("pointerup", at(103, 122)));
  step("drag and leave", () => {
    root.send("pointerdown", at(100, 120));
    root.send("pointermove", at(200, 160));
    root.send("pointerleave");
  });
  step("Escape", () => root.send("keydown", { key: "Escape" }));
  step("a finger", () => {
    root.send("pointerdown", at(100, 120, { pointerType: "touch" }));
    root.send("pointerup", at(100, 120, { pointerType: "touch" }));
  });
  step("another button", () => {
    root.send("pointerdown", at(100, 120, { button: 2 }));
    root.send("pointermove", at(200, 190));
  });
  step("outside", () => {
    root.send("pointerdown", at(5, 5));
    root.send("pointermove", at(200, 190));
  });
  step("zoom and reset", () => {
    root.send("pointerdown", at(100, 120));
    root.send("pointerup", at(220, 180));
    (root.children[4] as PageElement).querySelectorAll("button")[0].click();
  });
  step("zoom and double click", () => {
    root.send("pointerdown", at(100, 120));
    root.send("pointerup", at(220, 180));
    root.send("dblclick");
  });
  const entry = page.element("g", { class: "entry", "data-trace": "0" });
  entry.parentElement = root;
  step("a group is off", () => root.send("click", { target: entry }));
  step("and on", () => root.send("click", { target: entry }));
  entry.setAttribute("data-trace", "2");
  step("one is off", () => root.send("click", { target: entry }));
  step("a click elsewhere", () => root.send("click", { target: root }));
  const [, png, svg] = (root.children[4] as PageElement).querySelectorAll("button");
  step("SVG", () => svg.click());
  png.click();
  await until(() => page.log.some((line) => line.includes("figure.png")));
  step("PNG", () => {});
  step("narrower", () => {
    host.clientWidth = 200;
    page.changed("size");
    return (root.children[0] as PageElement).innerHTML.slice(0, 80);
  });
  step("the same width", () => {
    const before = (root.children[0] as PageElement).children;
    page.changed("size");
    return before === (root.children[0] as PageElement).children;
  });
  step("no width", () => {
    host.clientWidth = 0;
    page.changed("size");
    return (root.children[0] as PageElement).innerHTML.slice(0, 80);
  });
  step("dark", () => {
    page.body.dataset.vscodeThemeKind = "vscode-dark";
    page.changed("mutation");
    return [root.getAttribute("data-theme"), root.properties.get("--background")];
  });
  step("out of the page", () => {
    host.isConnected = false;
    page.body.dataset.vscodeThemeKind = "vscode-light";
    page.changed("mutation");
    return root.getAttribute("data-theme");
  });
  calls.approve("figures/interactive/page");
});

test("pages tell their theme, which elements wait for a script, and how wide figures are", async () => {
  const calls = new Calls();
  const theme = async (
    name: string,
    prepare: (page: Page, host: PageElement) => void,
    given: unknown = figure([scatter()]),
  ) => {
    const page = new Page();
    const host = page.element("div", { class: "luvit-plot" });
    prepare(page, host);
    const { root } = await shown(page, given, host);
    calls.note(
      name,
      root
        ? [root.getAttribute("data-theme"), root.properties.get("width"), host.dataset.alive]
        : [host.dataset.ready, host.dataset.alive],
    );
  };
  await theme("by itself", () => {});
  await theme("preferred dark", (page) => {
    page.prefersDark = true;
  });
  for (const light of ["true", "false"])
    await theme(`Jupyter ${light}`, (page) => {
      page.body.dataset.jpThemeLight = light;
    });
  for (const kind of ["vscode-dark", "vscode-light", "vscode-high-contrast", "vscode-high-contrast-light"])
    await theme(kind, (page) => {
      page.body.dataset.vscodeThemeKind = kind;
    });
  for (const color of [
    "rgb(0, 0, 0)",
    "rgb(250, 250, 250)",
    "rgba(0, 0, 0, 0.4)",
    "rgb(127, 127, 127)",
    "rgb(0, 217, 0)",
    "rgb(0, 216, 0)",
    "transparent",
  ])
    await theme(color, (page) => {
      page.colors.set(page.body, color);
    });
  await theme("nearer background", (page, host) => {
    page.colors.set(page.body, "rgb(255,255,255)");
    page.colors.set(host, "rgb(10,10,10)");
  });
  for (const width of [100, 239, 250, 399, 900])
    await theme(`width ${width}`, (_, host) => {
      host.clientWidth = width;
    });
  const two = figure([scatter(), scatter({ xaxis: "x2", yaxis: "y2" })], {
    xaxis: { domain: [0, 0.4] },
    xaxis2: { domain: [0.6, 1] },
  });
  for (const width of [100, 350])
    await theme(
      `two panels at ${width}`,
      (_, host) => {
        host.clientWidth = width;
      },
      two,
    );
  const warned: unknown[] = [];
  const { warn } = console;
  console.warn = (...given: unknown[]) => void warned.push(given.map(String));
  await theme("no figure", () => {}, "x");
  await theme("a script that stands in its element", (page, host) => {
    page.script = page.element("script");
    page.script.parentElement = host;
    page.body.append(page.element("div", { class: "luvit-plot" }));
  });
  await theme("a script in the head", (page) => {
    page.script = page.element("script");
    page.script.parentElement = page.documentElement;
  });
  await theme("ready before", (_, host) => {
    host.dataset.ready = "true";
  });
  console.warn = warn;
  calls.note("warned", warned.length);
  calls.approve("figures/interactive/themes");
});
