// The slider: draws on the map what moved in the chosen round, and says it beside the map.
const THIN = 0.7, WIDE = 1.6, APART = 0.6, BEND = 0.13, SHRINK = 3, HEAD = 3.6;

const shape = (name, attributes, parent) => {
  const made = document.createElementNS(parent.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
};
const figure = (value) => {
  if (value === 0) return "0";
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  const [whole, part] = value.toFixed(Math.min(digits, 9)).split(".");
  const cut = (part ?? "").replace(/0+$/, "");
  return whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (cut ? `.${cut}` : "");
};

// An arrow from a to b, bent to one side so that the way back does not cover the way there.
const arrow = (layer, a, b, sideways, width, ink, dashed) => {
  const shifted = ([x, y]) => [x + sideways[0], y + sideways[1]];
  const [p, q] = [shifted(a), shifted(b)];
  const control = [(p[0] + q[0]) / 2 - BEND * (q[1] - p[1]), (p[1] + q[1]) / 2 + BEND * (q[0] - p[0])];
  const towards = (from, to, by) => {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
    return [from[0] + (by * (to[0] - from[0])) / length, from[1] + (by * (to[1] - from[1])) / length];
  };
  const start = towards(p, control, SHRINK), tip = towards(q, control, SHRINK);
  const size = HEAD + width, neck = towards(tip, control, size);
  const across = [(tip[1] - neck[1]) * 0.45, (neck[0] - tip[0]) * 0.45];
  const line = { d: `M${start} Q${control} ${neck}`, fill: "none", "stroke-width": width, style: `stroke: var(--${ink})` };
  if (dashed) line["stroke-dasharray"] = `${2.4 * width} ${1.6 * width}`;
  shape("path", line, layer);
  const corners = [tip, [neck[0] + across[0], neck[1] + across[1]], [neck[0] - across[0], neck[1] - across[1]]];
  shape("polygon", { points: corners.join(" "), style: `fill: var(--${ink})` }, layer);
};

const replay = (section) => {
  const data = JSON.parse(section.querySelector("script").textContent);
  const slider = section.querySelector("input"), button = section.querySelector(".play");
  const map = section.querySelector(".map svg");
  const texts = ["end", "took", "energy", "moved", "kind", "tiers", "accuracy", "plan"];
  const heaviest = Math.max(1e-9, ...data.patterns.flat().map((m) => m.slice(4).reduce((a, b) => a + b, 0)));
  const drawn = map.querySelectorAll(`[id^="${data.identity}-move-"]`);
  const layer = document.createElementNS(map.namespaceURI, "g"), crosses = layer.cloneNode();
  layer.setAttribute("class", "moves");
  crosses.setAttribute("class", "crosses");
  // Under the marks of the nodes: where the arrows of the first round stood.
  (drawn[0] ?? map.querySelector(`[id="${data.identity}-axes_1"]`)?.firstChild)?.before(layer);
  if (!layer.parentNode) map.append(layer);
  map.append(crosses);
  drawn.forEach((each) => each.remove());

  const say = (name, text) => {
    const place = section.querySelector(`[data-says="${name}"]`);
    if (place) place.textContent = text;
  };
  const draw = (moves) => {
    layer.replaceChildren();
    for (const [step, source, target, ms, ...kilobits] of moves) {
      const [from, a] = [data.nodes[source][0], data.nodes[source].slice(1)];
      const [to, b] = [data.nodes[target][0], data.nodes[target].slice(1)];
      if (a.length < 2 || b.length < 2) continue;
      const parts = kilobits.map((load, i) => [load, i]).filter(([load]) => load > 0);
      const widths = parts.map(([load]) => THIN + (WIDE * load) / heaviest);
      const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
      const unit = [-(b[1] - a[1]) / length, (b[0] - a[0]) / length];
      let offset = -(widths.reduce((x, y) => x + y, 0) + APART * (widths.length - 1)) / 2;
      const group = shape("g", {}, layer);
      const carried = parts.map(([load, i]) => `${data.groups[i][0]} ${figure(load / 8000)} MB`).join(", ");
      shape("title", {}, group).textContent = `${from} → ${to}: ${carried}, ${figure(ms / 1000)} s`;
      parts.forEach(([, i], k) => {
        const by = offset + widths[k] / 2;
        offset += widths[k] + APART;
        arrow(group, a, b, [unit[0] * by, unit[1] * by], widths[k], data.groups[i][1], !data.steps[step][1]);
      });
    }
  };
  const tabulate = (moves) => {
    const rows = data.steps.flatMap(([name], step) => {
      const mine = moves.filter((move) => move[0] === step);
      if (!mine.length) return [];
      const load = mine.reduce((sum, move) => sum + move.slice(4).reduce((a, b) => a + b, 0), 0);
      const longest = Math.max(...mine.map((move) => move[3]));
      return [[name, String(mine.length), `${figure(load / 8000)}\u202fMB`, `${figure(longest / 1000)}\u202fs`]];
    });
    section.querySelector(".steps tbody").replaceChildren(...(rows.length ? rows : [["nothing moved", "", "", ""]]).map((row) => {
      const line = document.createElement("tr");
      row.forEach((text, i) => {
        const cell = document.createElement(i ? "td" : "th");
        if (!i) cell.scope = "row";
        cell.textContent = text;
        line.append(cell);
      });
      return line;
    }));
  };
  const show = (index) => {
    const [number, pattern, sat, ...told] = data.rounds[index];
    draw(data.patterns[pattern]);
    tabulate(data.patterns[pattern]);
    say("round", number);
    texts.forEach((name, i) => say(name, data.texts[told[i]]));
    say("sat", sat.map((node) => data.nodes[node][0]).join(", ") || "nobody");
    say("flag", data.texts[told[7]].endsWith("(new with this round)") ? "a new plan is in force" : "");
    crosses.replaceChildren();
    for (const node of sat) {
      const [, x, y] = data.nodes[node];
      if (x === undefined) continue;
      shape("path", { d: `M${x - 4} ${y - 4} l8 8 m0 -8 l-8 8`, "stroke-width": 1.8, style: "stroke: var(--ink)" }, crosses);
    }
    slider.setAttribute("aria-valuetext", `round ${number} of ${data.rounds.at(-1)[0]}`);
    section.dataset.round = number;
  };
  const go = (index) => {
    slider.value = index;
    show(index);
  };
  // The address names the round, so that it can be passed on.
  const asked = () => {
    const found = /^#round=(\d+)$/.exec(location.hash);
    if (!found) return 0;
    const later = data.rounds.findIndex(([number]) => number >= Number(found[1]));
    return later < 0 ? data.rounds.length - 1 : later;
  };
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
    button.setAttribute("aria-pressed", "false");
  };
  slider.addEventListener("input", () => {
    stop();
    show(Number(slider.value));
    history.replaceState(null, "", `#round=${data.rounds[slider.value][0]}`);
  });
  button.addEventListener("click", () => {
    if (timer) { stop(); return; }
    if (Number(slider.value) === data.rounds.length - 1) go(0);
    button.textContent = "Pause";
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      if (Number(slider.value) < data.rounds.length - 1) go(Number(slider.value) + 1);
      else stop();
    }, 900);
  });
  addEventListener("hashchange", () => { if (/^#round=\d+$/.test(location.hash)) go(asked()); });
  section.querySelector(".player").hidden = data.rounds.length < 2;
  section.querySelector(".scriptless").remove();
  go(asked());
};
document.querySelectorAll(".replay").forEach(replay);
