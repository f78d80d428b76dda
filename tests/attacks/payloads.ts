/** The name of the trap: what runs in a page says so by calling it, what asks for something asks at `strangers`. */
export const trap = "__pwned";
export const strangers = "https://strangers.test";

const call = `${trap}(1)`;

/** Texts that a page may take for more than text, each by another way out of the place where it stands. */
export const payloads: readonly string[] = [
  `<img src=x onerror="${call}">`,
  `<script>${call}</script>`,
  `"><script>${call}</script><x y="`,
  `'><script>${call}</script><x y='`,
  `" onload="${call}" onerror="${call}" onmouseover="${call}" onfocus="${call}" autofocus tabindex="1" x="`,
  `' onload='${call}' onerror='${call}' onmouseover='${call}' onfocus='${call}' autofocus tabindex='1' x='`,
  `</script><script>${call}</script>`,
  `<!--<script>${call}</script>`,
  `</style><img src=x onerror=${call}>`,
  `</title></textarea></noscript><svg onload=${call}>`,
  `]]></svg><svg onload=${call}>`,
  `<a href="javascript:${call}">x</a>`,
  `<a href=" java\tscript:${call}">x</a>`,
  `javascript:${call}`,
  `data:text/html,<script>${call}</script>`,
  `<iframe srcdoc="<script>parent.${call}</script>"></iframe>`,
  `<img src="${strangers}/image">`,
  `<link rel=stylesheet href="${strangers}/style">`,
  `red;background:url(${strangers}/color)`,
  `url(${strangers}/paint)`,
  `&lt;img src=x onerror=${call}&gt;`,
  `&#60;img src=x onerror=${call}&#62;`,
  `\u0001<img src=x onerror=${call}>0\u0001`,
  `\${${call}}\`+${call}+\``,
  `%{x}<img src=x onerror=${call}>`,
  `$\\href{javascript:${call}}{x}$`,
  `[x](javascript:${call}) ![y](x" onerror="${call})`,
  `<math><mtext></mtext><mglyph><style><img src=x onerror=${call}></style></mglyph></math>`,
  `constructor`,
  `__proto__`,
];
