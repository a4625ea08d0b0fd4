// SPDX-License-Identifier: Apache-2.0
// The script of every page: values under the pointer, and a zoom. It reads the numbers beside each picture (PlotData.swift), writes texts
// as texts, loads nothing and stores nothing. A zoomed view is drawn over the picture from the numbers; without it, and on paper, the
// picture is as gnuplot drew it.

/// JavaScript without a "<" before a letter or a slash, so that it can stand in HTML as it is.
let pageScript = """
  (() => {
  "use strict";
  const element = (parent, name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (text !== undefined) made.textContent = text;
    return parent.appendChild(made);
  };
  const shown = v => String(Number(v.toPrecision(5)));
  // Values at 1, 2 or 5 times a power of ten; on a logarithmic axis where that tells something.
  const tics = (least, most, isLog) => {
    const steps = span => {
      const power = 10 ** Math.floor(Math.log10(span / 7)), left = span / 7 / power;
      return power * (left > 5 ? 10 : left > 2 ? 5 : left > 1 ? 2 : 1);
    };
    const all = [];
    if (isLog && most - least > 1) {
      for (let k = Math.ceil(least - 1e-9); k <= most + 1e-9; k++) all.push(10 ** k);
      return all;
    }
    if (isLog) [least, most] = [10 ** least, 10 ** most];
    const step = steps(most - least);
    for (let k = Math.ceil(least / step - 1e-9); k * step <= most + 1e-9 * step; k++) all.push(k * step);
    return all;
  };
  for (const figure of document.querySelectorAll("figure.plot")) {
    const svg = figure.querySelector("svg");
    const data = JSON.parse(figure.querySelector("script").textContent);
    const [left, right, top, bottom] = data.box;
    const forth = data.log.map(l => l ? Math.log10 : v => v), back = data.log.map(l => l ? v => 10 ** v : v => v);
    const whole = data.range.map((v, i) => forth[i >> 1](v));
    const size = svg.viewBox.baseVal;
    let view = whole, layer, mark, box, begun;
    const pixel = (x, y) => [
      left + (forth[0](x) - view[0]) / (view[1] - view[0]) * (right - left),
      bottom - (forth[1](y) - view[2]) / (view[3] - view[2]) * (bottom - top)];
    const scaled = (px, py) => [
      view[0] + (px - left) / (right - left) * (view[1] - view[0]),
      view[2] + (bottom - py) / (bottom - top) * (view[3] - view[2])];
    for (const c of data.curves) if (!c.x) c.x = c.y.map((_, i) => c.from + i * c.step);
    const tip = figure.appendChild(document.createElement("div"));
    tip.className = "tip";
    tip.hidden = true;
    const clear = () => { tip.hidden = true; if (mark) mark.remove(); mark = undefined; };

    const path = (inner, c, values, style) => {
      let d = "", pen = "M";
      c.x.forEach((x, i) => {
        const [px, py] = values[i] === null ? [NaN] : pixel(x, values[i]);
        if (Number.isFinite(px) && Number.isFinite(py)) { d += pen + px.toFixed(2) + " " + py.toFixed(2); pen = "L"; }
      });
      return d && element(inner, "path", Object.assign({d: d, fill: "none"}, style));
    };
    const draw = () => {
      if (layer) layer.remove();
      layer = undefined;
      clear();
      if (view === whole) return;
      const font = size.width < 500 ? 11 : 13, edge = Math.min(1.9 * font, left);
      layer = element(svg, "g", {class: "layer", "font-family": "sans-serif", "font-size": font});
      // Over the numbers of the axes too, but not over their titles.
      element(layer, "rect", {x: edge, y: top - 6, width: size.width - edge, height: bottom - top + 6 + 1.9 * font, fill: "#fff"});
      const inner = element(layer, "svg", {x: left, y: top, width: right - left, height: bottom - top,
        viewBox: [left, top, right - left, bottom - top].join(" ")});
      for (const x of data.names.length ? data.names.keys() : tics(view[0], view[1], data.log[0])) {
        const [px] = pixel(x, 1);
        if (px < left - 1 || px > right + 1) continue;
        element(layer, "path", {d: `M${px} ${bottom}V${top}`, stroke: "#ddd", "stroke-dasharray": "2,4"});
        element(layer, "text", {x: px, y: bottom + 1.5 * font, "text-anchor": "middle"}, data.names[x] || shown(x));
      }
      for (const y of tics(view[2], view[3], data.log[1])) {
        const py = pixel(1, y)[1];
        element(layer, "path", {d: `M${left} ${py}H${right}`, stroke: "#ddd", "stroke-dasharray": "2,4"});
        element(layer, "text", {x: left - 8, y: py + 4, "text-anchor": "end"}, shown(y));
      }
      layer.appendChild(inner);
      element(layer, "rect", {x: left, y: top, width: right - left, height: bottom - top, fill: "none", stroke: "#000"});
      for (const c of data.curves) {
        const style = {stroke: c.color, "stroke-opacity": c.opacity, "stroke-width": c.width};
        if (c.kind === "dashes") style["stroke-dasharray"] = "6,4";
        if (c.kind === "lines" || c.kind === "dashes") path(inner, c, c.y, style);
        else if (c.kind === "band") {
          const points = c.x.map((x, i) => [x, i]).filter(p => c.y[p[1]] !== null && c.upper[p[1]] !== null);
          const side = values => points.map(p => pixel(p[0], values[p[1]]).map(v => v.toFixed(2)).join(" "));
          element(inner, "path", {d: "M" + side(c.y).concat(side(c.upper).reverse()).join("L") + "Z", fill: c.color,
            "fill-opacity": .25});
        } else c.x.forEach((x, i) => {
          if (c.y[i] === null) return;
          const [px, py] = pixel(x, c.y[i]);
          if (!Number.isFinite(py)) return;
          if (c.kind === "dots") element(inner, "circle", {cx: px, cy: py, r: 2, fill: c.color});
          else if (c.kind === "crosses")
            element(inner, "path", Object.assign({d: `M${px - 5} ${py - 5}l10 10m0 -10l-10 10`}, style));
          else {
            const [a, b] = [pixel(x - c.width / 2, c.y[i]), pixel(x + c.width / 2, c.y[i])];
            element(inner, "rect", {x: a[0], y: py, width: b[0] - a[0], height: Math.max(bottom - py, 0), fill: c.color});
          }
        });
      }
    };

    // The point of a curve that is nearest to the pointer: along a line between two points, and one of these where it is near.
    const nearest = (px, py) => {
      let best = {distance: 30};
      const take = (c, values, i, t, qx, qy) => {
        const distance = Math.hypot(qx - px, qy - py);
        if (qx < left - 1 || qx > right + 1 || qy < top - 1 || qy > bottom + 1 || distance >= best.distance) return;
        best = {distance, c, values, i, t, qx, qy};
      };
      for (const c of data.curves) for (const values of c.upper ? [c.y, c.upper] : [c.y]) {
        let last;
        c.x.forEach((x, i) => {
          const q = values[i] === null ? undefined : pixel(x, values[i]);
          if (q && q.every(Number.isFinite)) {
            take(c, values, i, 0, q[0], q[1]);
            if (last && ["lines", "dashes", "band"].includes(c.kind)) {
              const [dx, dy] = [q[0] - last[0], q[1] - last[1]], square = dx * dx + dy * dy;
              const t = square > 64 ? ((px - last[0]) * dx + (py - last[1]) * dy) / square : 0;
              if (t > 0 && t < 1) take(c, values, i - 1, t, last[0] + t * dx, last[1] + t * dy);
            }
          }
          last = q;
        });
      }
      return best.c && best;
    };
    const point = event => {
      const place = svg.getBoundingClientRect(), ratio = size.width / place.width;
      return [(event.clientX - place.left) * ratio, (event.clientY - place.top) * ratio, ratio];
    };
    const isInside = (x, y) => x >= left && x <= right && y >= top && y <= bottom;
    const show = event => {
      clear();
      const [px, py, ratio] = point(event);
      const found = isInside(px, py) && nearest(px, py);
      if (!found) return;
      const {c, i, t, qx, qy} = found, between = (a, b, axis) =>
        t ? back[axis](forth[axis](a) + t * (forth[axis](b) - forth[axis](a))) : a;
      const at = values => shown(between(values[i], values[i + 1], 1));
      const x = between(c.x[i], c.x[i + 1], 0);
      tip.textContent = [c.name, `${data.x}: ${data.names[x] || shown(x)}`,
        `${data.y}: ${c.upper ? at(c.y) + " to " + at(c.upper) : at(c.y)}`].filter(line => line).join("\\n");
      mark = element(svg, "circle", {class: "layer", cx: qx, cy: qy, r: 4 * ratio, fill: "none", stroke: "#000",
        "stroke-width": 1.5 * ratio, "pointer-events": "none"});
      tip.hidden = false;
      const wide = figure.clientWidth, x0 = qx / ratio;
      tip.style.left = Math.max(0, Math.min(x0 + 10, wide - tip.offsetWidth)) + "px";
      tip.style.top = Math.max(0, qy / ratio - tip.offsetHeight - 8) + "px";
    };
    svg.addEventListener("pointerleave", clear);
    svg.addEventListener("pointermove", event => {
      if (!begun) return show(event);
      clear();
      const [px, py] = point(event), [x, y] = [Math.min(Math.max(px, left), right), Math.min(Math.max(py, top), bottom)];
      if (box) box.remove();
      box = element(svg, "rect", {class: "layer", x: Math.min(x, begun[0]), y: Math.min(y, begun[1]),
        width: Math.abs(x - begun[0]), height: Math.abs(y - begun[1]), fill: "#000", "fill-opacity": .12, stroke: "#000"});
      box.ends = [x, y];
    });
    svg.addEventListener("pointerdown", event => {
      const [px, py] = point(event);
      if (event.button || event.pointerType === "touch" || !isInside(px, py)) return;
      event.preventDefault();
      begun = [px, py];
      try { svg.setPointerCapture(event.pointerId); } catch (_) {}
    });
    const end = isZoom => {
      const ends = box && box.ends, from = begun;
      if (box) box.remove();
      box = begun = undefined;
      if (!isZoom || !ends) return;
      const [wide, high] = [Math.abs(ends[0] - from[0]), Math.abs(ends[1] - from[1])];
      if (wide < 8 && high < 8) return;
      const a = scaled(Math.min(ends[0], from[0]), Math.max(ends[1], from[1]));
      const b = scaled(Math.max(ends[0], from[0]), Math.min(ends[1], from[1]));
      // A drag along one axis zooms that axis.
      view = [wide < 8 ? view[0] : a[0], wide < 8 ? view[1] : b[0], high < 8 ? view[2] : a[1], high < 8 ? view[3] : b[1]];
      draw();
    };
    svg.addEventListener("pointerup", () => end(true));
    svg.addEventListener("pointercancel", () => end(false));
    svg.addEventListener("dblclick", () => { view = whole; draw(); });
  }
  const first = document.querySelector("figure.plot");
  if (first) {
    const hint = document.createElement("p");
    hint.className = "hint soft";
    hint.textContent = "Pictures: point at a curve for its values; drag to zoom, double click for the whole.";
    document.querySelector("h1").after(hint);
  }
  })();
  """
