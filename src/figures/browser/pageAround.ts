/** A page of its own around the viewer, without any reference to elsewhere. */
export function pageAround(viewer: string, title: string): string {
  const text = title.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text}</title>
<link rel="icon" href="data:,">
<style>:root{color-scheme:light dark}body{margin:0;padding:16px;background:#fff}
@media (prefers-color-scheme:dark){body{background:#0e1013}}@media (max-width:600px){body{padding:0}}</style>
</head>
<body data-luvit-page>
${viewer}
</body>
</html>
`;
}
