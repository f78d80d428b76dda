/** An element of SVG as the renderer of figures writes it. */
export interface SvgElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (SvgElement | string)[];
}

/** Reads what the renderer of figures writes: elements, attributes in double quotes, text. */
export function readSvg(svg: string): SvgElement {
  const root = { tag: "", attributes: {}, children: [] as (SvgElement | string)[] };
  const open = [root];
  for (const [, close, tag, attributes, end, text] of svg.matchAll(
    /<(?:(\/)?([\w]+)((?:\s+[\w:-]+="[^"]*")*)\s*(\/)?)>|([^<]+)/g,
  )) {
    const parent = open[open.length - 1]!;
    if (text !== undefined) parent.children.push(unescapeXml(text));
    else if (close) open.pop();
    else {
      const element = { tag: tag!, attributes: attributesOf(attributes!), children: [] };
      parent.children.push(element);
      if (!end) open.push(element);
    }
  }
  return root.children[0] as SvgElement;
}

function attributesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, name, value]) => [name!, unescapeXml(value!)]),
  );
}

function unescapeXml(text: string): string {
  return text
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&");
}
