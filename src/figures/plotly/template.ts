import { figureFont, neutralColor } from "../theme";

const line = {
  gridcolor: "rgba(128,128,128,.2)",
  linecolor: neutralColor,
  zeroline: false,
  showline: true,
  ticks: "",
};
const look = {
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: figureFont, size: 12.5, color: neutralColor },
  title: {
    x: 0,
    xref: "paper",
    xanchor: "left",
    y: 1,
    yref: "container",
    yanchor: "top",
    pad: { t: 14 },
    font: { size: 15 },
  },
  xaxis: line,
  yaxis: line,
  coloraxis: { colorbar: { thickness: 12, outlinewidth: 0 } },
  hovermode: "closest",
};

/** How Plotly draws what brings no look of its own: legible on white and on near-black. */
export const plotlyTemplate = { layout: look };
