// Draws what pages carry in data-chart, with uPlot, in the page's own colours.
"use strict";

(() => {
  const HEIGHT = 240;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function axis(more) {
    const font = "12px system-ui, sans-serif";
    const grid = { stroke: colour("--line"), width: 1 };
    return { stroke: colour("--muted"), font, grid, ticks: grid, ...more };
  }

  function seriesOf(one, number) {
    const stroke = colour(`--series-${(number % 4) + 1}`);
    return {
      label: one.label,
      stroke,
      width: 2,
      dash: one.dashed ? [6, 4] : undefined,
      fill: one.fill ? `${stroke}22` : undefined,
      points: { show: one.values.length < 40, size: 5, fill: stroke },
      value: (_, value) => (value == null ? "–" : value.toFixed(3)),
    };
  }

  function options(data, width) {
    return {
      width,
      height: HEIGHT,
      legend: { live: false, show: data.series.length > 1 },
      cursor: { y: false, drag: { setScale: false } },
      scales: { x: { time: Boolean(data.time) }, y: { range: (_, low, high) => data.range ?? [0, high ? high * 1.1 : 1] } },
      axes: [
        axis({ label: data.xLabel, labelFont: "12px system-ui, sans-serif", labelSize: 20, values: data.time ? [[60, "{HH}:{mm}", null, null, null, null, null, null, 1]] : undefined, incrs: data.time ? [300, 600, 900] : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }),
        axis({ size: 56 }),
      ],
      series: [{}, ...data.series.map(seriesOf)],
    };
  }

  function draw(place) {
    const data = JSON.parse(place.dataset.chart);
    place.replaceChildren();
    const chart = new uPlot(options(data, place.clientWidth), [data.x, ...data.series.map((one) => one.values)], place);
    new ResizeObserver(() => place.clientWidth && chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  }

  function drawAll(root = document) {
    root.querySelectorAll("[data-chart]").forEach(draw);
  }

  document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.elt));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  drawAll();
})();
