"use strict";
// Draws equity and candles with the library beside it; colours come from the page.
const { createChart, createSeriesMarkers, AreaSeries, CandlestickSeries, LineSeries, LineType } = LightweightCharts;
const STOP = "#d1382c", TARGET = "#1d8a4e", BUY = "#2f6fb0", SELL = "#b0662f";
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const looks = () => ({
  layout: { attributionLogo: false, background: { color: colour("--card") }, textColor: colour("--dim"), fontFamily: getComputedStyle(document.body).fontFamily },
  grid: { vertLines: { color: colour("--line") }, horzLines: { color: colour("--line") } },
  timeScale: { borderColor: colour("--line") },
  rightPriceScale: { borderColor: colour("--line") },
});

function chart(place) {
  const made = createChart(place, {
    autoSize: true, ...looks(),
    timeScale: { timeVisible: true, secondsVisible: false, borderColor: colour("--line") },
    localization: { locale: "en-US" },
  });
  document.addEventListener("theme", () => made.applyOptions(looks()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => made.applyOptions(looks()));
  return made;
}

function nothing(place, text) {
  const line = document.createElement("p");
  line.className = "none";
  line.textContent = text;
  place.replaceChildren(line);
}

async function figures(address) {
  const answer = await fetch(address);
  return answer.ok ? answer.json() : null;
}

async function equity(place) {
  let line = null;
  const draw = async () => {
    const found = await figures("/equity.json");
    if (!found) return;
    if (found.points.length < 2) { if (!line) nothing(place, "Equity is drawn from the second iteration on."); return; }
    if (!line) {
      place.replaceChildren();
      const made = chart(place);
      line = made.addSeries(AreaSeries, {
        lineColor: BUY, topColor: "rgba(47,111,176,.25)", bottomColor: "rgba(47,111,176,0)", lineWidth: 2,
        priceFormat: { type: "custom", minMove: 1, formatter: (usd) => Math.round(usd).toLocaleString("en-US") }, priceLineVisible: false,
      });
      line.setData(found.points);
      // Room at both ends: the library cuts the times of the first and the last point.
      const aside = found.points.length * 0.05;
      made.timeScale().setVisibleLogicalRange({ from: -aside, to: found.points.length - 1 + aside });
    } else line.setData(found.points);
    place.dataset.drawn = String(found.points.length);
  };
  await draw();
  document.addEventListener("news", draw);
}

async function candles(place) {
  let bars = null, marks = null, made = null, lines = [];
  const draw = async () => {
    const found = await figures(`/candles/${place.dataset.symbol}`);
    if (!found) return;
    if (!found.bars.length) { if (!bars) nothing(place, "No bars are kept here; a trader writes its own after each iteration."); return; }
    if (!bars) {
      place.replaceChildren();
      made = chart(place);
      made.applyOptions({ timeScale: { timeVisible: found.minutes < 1440 } });
      bars = made.addSeries(CandlestickSeries, {
        upColor: "#3d9970", downColor: "#c4574d", wickUpColor: "#3d9970", wickDownColor: "#c4574d", borderVisible: false,
        priceLineVisible: false,
      });
      marks = createSeriesMarkers(bars, []);
    }
    const first = !place.dataset.drawn;
    bars.setData(found.bars);
    for (const line of lines) made.removeSeries(line);
    lines = found.lines.map((line) => {
      const series = made.addSeries(LineSeries, {
        color: line.kind === "stop" ? STOP : TARGET, lineWidth: line.works ? 3 : 2, lineType: LineType.WithSteps,
        lineStyle: line.works ? 0 : 2, priceLineVisible: false, lastValueVisible: line.works, crosshairMarkerVisible: false,
        title: line.works ? line.kind : "", autoscaleInfoProvider: line.kind === "stop" || line.works ? undefined : () => null,
      });
      series.setData(line.points);
      return series;
    });
    marks.setMarkers(found.fills.map((fill) => ({
      time: fill.time, text: fill.text, position: fill.side === "buy" ? "belowBar" : "aboveBar",
      shape: fill.side === "buy" ? "arrowUp" : "arrowDown", color: fill.side === "buy" ? BUY : SELL,
    })));
    if (first) {
      const wanted = found.minutes < 1440 ? 160 : 60;
      const shown = Math.min(found.bars.length, place.clientWidth < 600 ? wanted / 2 : wanted);
      made.timeScale().setVisibleLogicalRange({ from: found.bars.length - shown, to: found.bars.length + shown / 8 });
    }
    place.dataset.drawn = String(found.bars.length);
  };
  await draw();
  document.addEventListener("news", draw);
}

for (const place of document.querySelectorAll("[data-chart]")) ({ equity, candles })[place.dataset.chart](place);
