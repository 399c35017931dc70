// Draws the page's figures, and leads from their points to the rows of the table of configurations.
(function () {
  "use strict";
  const source = document.getElementById("figures");
  if (!source || !window.Plotly) return;
  const content = JSON.parse(source.textContent);
  // Named one by one: plotly's own set has a button that sends a figure to its makers.
  const buttons = [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]];
  const config = { responsive: true, displaylogo: false, modeBarButtons: buttons, showSendToCloud: false };

  function alpha(colour, share) {
    const parts = /^#(..)(..)(..)$/.exec(colour).slice(1).map((part) => parseInt(part, 16));
    return "rgba(" + parts.join(",") + "," + share + ")";
  }

  // The page's own colours, for light and dark: "var(--curve)", or "var(--curve)/0.2" for a share of it.
  function resolved(value, style) {
    if (typeof value === "string") {
      const found = /^var\((--[a-z]+)\)(?:\/([0-9.]+))?$/.exec(value);
      if (!found) return value;
      const colour = style.getPropertyValue(found[1]).trim();
      return found[2] ? alpha(colour, found[2]) : colour;
    }
    if (Array.isArray(value)) return value.map((each) => resolved(each, style));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each, style)]));
  }

  function withHover(trace) {
    if (trace.hovertemplate || trace.hoverinfo === "skip") return trace;
    const label = (place) => (place === null || place === undefined ? "" : content.labels[place]);
    if (trace.meta && trace.meta.columns) {
      const columns = trace.meta.columns.map(label);
      trace.text = trace.z.map((row, at) => columns.map((text) => escaped(trace.meta.rows[at]) + "<br>" + text));
      trace.hovertemplate = "%{z:.0%} of its texts cover<br>%{text}<extra></extra>";
      return trace;
    }
    const size = Math.max((trace.x || []).length, (trace.y || []).length);
    trace.hovertext = Array.from({ length: size }, (_, at) => {
      const own = trace.hovertext ? escaped(trace.hovertext[at]) : "";
      const text = label((trace.customdata || [])[at]);
      return own && text ? own + "<br>" + text : own || text;
    });
    trace.hovertemplate = "%{hovertext}<extra></extra>";
    return trace;
  }

  function escaped(text) {
    return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }

  function styled(layout, style) {
    const colour = (name) => style.getPropertyValue(name).trim();
    const page = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: 'system-ui, -apple-system, "Segoe UI", sans-serif', size: 12, color: colour("--ink") },
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") }, align: "left" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--ink") },
    };
    const whole = { ...page, ...resolved(layout, style) };
    for (const name of Object.keys(whole).filter((each) => /^[xy]axis/.test(each))) {
      const line = { gridcolor: colour("--grid"), zerolinecolor: colour("--grid"), linecolor: colour("--muted") };
      whole[name] = { ...line, ...whole[name] };
    }
    for (const menu of whole.updatemenus || []) {
      Object.assign(menu, { bgcolor: colour("--card"), bordercolor: colour("--line"), font: { color: colour("--ink") } });
    }
    return whole;
  }

  function row(key) {
    return Array.from(document.querySelectorAll("tr[data-configuration]")).find(
      (each) => each.dataset.configuration === key
    );
  }

  function goTo(place) {
    if (place === null || place === undefined) return;
    const found = row(content.keys[place]);
    if (!found) return;
    for (let around = found.closest("details"); around; around = around.parentElement.closest("details")) around.open = true;
    document.querySelectorAll("tr.marked").forEach((each) => each.classList.remove("marked"));
    found.classList.add("marked");
    found.tabIndex = -1;
    found.focus({ preventScroll: true });
    found.scrollIntoView({ block: "center" });
  }

  function clicked(event) {
    const point = event.points[0];
    const meta = point.data.meta;
    goTo(meta && meta.columns ? meta.columns[point.pointIndex[1]] : point.customdata);
  }

  const drawn = new Map();

  function draw(box) {
    const spec = content.figures[box.dataset.figure];
    const style = getComputedStyle(document.documentElement);
    const data = resolved(spec.data, style).map(withHover);
    const plot = box.querySelector(".plot");
    const first = !drawn.has(box);
    drawn.set(box, true);
    box.closest("figure").classList.add("drawn");
    window.Plotly.react(plot, data, styled(spec.layout, style), config).then(() => {
      if (first) plot.on("plotly_click", clicked);
    });
  }

  const boxes = Array.from(document.querySelectorAll(".live"));
  if ("IntersectionObserver" in window) {
    const near = new IntersectionObserver(
      (entries) =>
        entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
          near.unobserve(entry.target);
          draw(entry.target.querySelector(".live"));
        }),
      { rootMargin: "600px" }
    );
    boxes.forEach((box) => near.observe(box.closest("figure")));
  } else {
    boxes.forEach(draw);
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    Array.from(drawn.keys()).forEach(draw);
  });
})();
