/** The style sheet of exported pages: light and dark by the reader's preference, readable from phones to print. */
export const pageStyle = `
:root { color-scheme: light dark;
  --bg: #ffffff; --text: #1d2430; --muted: #667085; --line: #e3e7ee; --code: #f6f8fa; --accent: #2470ae; --bad: #c4314b;
  --bad-bg: #fdf1f3; --good: #1a7f5a; --keyword: #8a3fa8; --string: #1a7f5a; --number: #a8540a; --comment: #5c6675;
  --call: #1f63a6; --type: #0f6f78; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #14171c; --text: #dfe4ec; --muted: #93a0b4; --line: #2b323d; --code: #1b2027; --accent: #5aa9e6; --bad: #ff7b8f;
  --bad-bg: #2a191d; --good: #57c99b; --keyword: #cf9be8; --string: #86cfa4; --number: #eaa86a; --comment: #8b97a8;
  --call: #82bff3; --type: #6fcad2; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--bg); color: var(--text); font: 16px/1.62 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 40px 24px 80px; }
header { border-bottom: 1px solid var(--line); padding-bottom: 18px; margin-bottom: 28px; }
h1, h2, h3, h4 { line-height: 1.25; letter-spacing: -0.01em; margin: 1.9em 0 0.5em; }
h1 { font-size: 2rem; } h2 { font-size: 1.4rem; } h3 { font-size: 1.12rem; }
header h1 { margin: 0 0 10px; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--muted); font-size: 0.87rem; }
.facts .ok { color: var(--good); font-weight: 600; } .facts .bad { color: var(--bad); font-weight: 600; }
nav { margin-top: 14px; font-size: 0.9rem; display: flex; flex-wrap: wrap; gap: 2px 16px; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
p, ul, ol { margin: 0.7em 0; } li { margin: 0.25em 0; }
img, svg { max-width: 100%; height: auto; }
blockquote { margin: 1em 0; padding: 0.1em 1em; border-left: 3px solid var(--line); color: var(--muted); }
hr { border: 0; border-top: 1px solid var(--line); margin: 2em 0; }
code, pre { font: 13.5px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
:not(pre) > code { background: var(--code); border-radius: 4px; padding: 0.12em 0.35em; font-size: 0.87em; overflow-wrap: break-word; }
pre { margin: 0; overflow-x: auto; tab-size: 2; }
pre.code { background: var(--code); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; margin: 1em 0; }
.cell { margin: 20px 0 26px; }
.cell pre.code { margin: 0; }
.label { display: flex; justify-content: space-between; color: var(--muted); font-size: 0.76rem; padding: 0 2px 4px; font-variant-numeric: tabular-nums; }
.output { margin: 12px 0 0; padding: 0 14px; overflow-x: auto; }
.output pre { color: var(--text); white-space: pre-wrap; overflow-wrap: anywhere; }
.output.scroll pre { max-height: 30em; overflow-y: auto; }
.output.stderr { border-left: 3px solid var(--number); padding-left: 11px; }
.output.error { background: var(--bad-bg); border-left: 3px solid var(--bad); padding: 10px 14px 10px 11px; border-radius: 0 8px 8px 0; }
.output.error pre { color: var(--bad); }
.failed pre.code { border-color: var(--bad); }
.notrun { opacity: 0.55; }
.badge { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.8em 0; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--line); text-align: left; }
th { font-weight: 600; border-bottom-color: var(--muted); vertical-align: bottom; }
.output img { border-radius: 4px; }
.luvit-plot { position: relative; }
.luvit-plot img { border-radius: 0; max-width: none; }
math { font-size: 1.06em; } math[display="block"] { margin: 1em 0; overflow-x: auto; }
.t-keyword { color: var(--keyword); } .t-string { color: var(--string); } .t-number, .t-literal { color: var(--number); }
.t-comment { color: var(--comment); font-style: italic; } .t-call { color: var(--call); } .t-type { color: var(--type); }
details { margin: 0.8em 0; } summary { cursor: pointer; color: var(--accent); }
@media (max-width: 600px) { main { padding: 22px 14px 60px; } h1 { font-size: 1.55rem; } body { font-size: 15.5px; } code, pre { font-size: 12.5px; } table { font-size: 0.78rem; } th, td { padding: 4px 5px; } }
@media print { main { max-width: none; padding: 0; } .cell { break-inside: avoid; } nav { display: none; } }
`;
