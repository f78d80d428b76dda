import type { HeadColor } from "./evidence";
import type { ViewerHeader } from "./payload";
import type { View } from "./rows";
import { layerNames, type ViewState, viewsOf } from "./state";

/** What is being looked at as a page's address has it, behind the #; the same wherever the page lies. */
export function toAddress(state: ViewState): string {
  const {
    query,
    pinned,
    layer,
    view,
    heads,
    strength,
    lines,
    outline,
    sameScale,
    choice,
    method,
    color,
    off,
  } = state;
  const flag = (on: boolean) => (on ? "1" : "0");
  const entries = {
    ...{ query: String(query), pinned: flag(pinned), layer, view, heads: heads.join(",") },
    ...{ strength: strength.toFixed(2), lines: flag(lines), outline: flag(outline), scale: flag(sameScale) },
    ...{ class: String(choice), method, color },
    off: off.map((some) => some.map((one) => `${one.layer}:${one.head}`).join(",")).join(";"),
  };
  return new URLSearchParams(Object.entries(entries).filter(([, value]) => value !== "")).toString();
}

/** The parts of the state that an address names; whatever this page does not have is left out. */
export function fromAddress(address: string, header: ViewerHeader): Partial<ViewState> {
  const given = new URLSearchParams(address.replace(/^#/, ""));
  const { models } = header;
  const { rows, columns } = models[0]!.grid;
  const found: Record<string, unknown> = {};
  const take = <T>(key: keyof ViewState, name: string, read: (text: string) => T | undefined) => {
    const text = given.get(name);
    const value = text === null ? undefined : read(text);
    if (value !== undefined) found[key] = value;
  };
  const oneOf = (values: readonly string[]) => (text: string) => (values.includes(text) ? text : undefined);
  const whole = (end: number) => (text: string) =>
    /^\d{1,6}$/.test(text) && Number(text) < end ? Number(text) : undefined;
  const flag = (text: string) => (text === "1" ? true : text === "0" ? false : undefined);
  take("query", "query", whole(rows * columns + 1));
  take("layer", "layer", oneOf(layerNames(models)));
  take("view", "view", (text) => oneOf(viewsOf(header))(text) as View | undefined);
  take("method", "method", oneOf(header.methods));
  take("color", "color", (text) => oneOf(["entropy", "distance", "effect"])(text) as HeadColor | undefined);
  take("choice", "class", whole(header.choices.length));
  take("strength", "strength", (text) =>
    /^(0|1|0?\.\d+|1\.0+|0\.\d+)$/.test(text) ? Number(text) : undefined,
  );
  for (const [
    key,
    name,
  ] of [["pinned", "pinned"], ["lines", "lines"], ["outline", "outline"], ["sameScale", "scale"]] as const) // biome-ignore format: one line
    take(key, name, flag);
  take("heads", "heads", (text) => {
    const heads = text.split(",").map(whole(10_000));
    return heads.length === models.length && heads.every((head) => head !== undefined) ? heads : undefined;
  });
  take("off", "off", (text) => {
    const some = text.split(";");
    return some.length === models.length ? some.map((one, i) => headsIn(one, models[i]!.stages)) : undefined;
  });
  return found as Partial<ViewState>;
}

function headsIn(text: string, stages: readonly { name: string; heads: number }[]) {
  return text.split(",").flatMap((one) => {
    const [, layer, number] = /^(.+):(\d{1,5})$/.exec(one) ?? [];
    const stage = stages.find(({ name }) => name === layer);
    return stage && Number(number) < stage.heads ? [{ layer: stage.name, head: Number(number) }] : [];
  });
}
