"use strict";
(() => {
  const one = (id) => document.getElementById(id);
  const all = (what, within = document) => [...within.querySelectorAll(what)];

  // Theme: the system's until somebody asks for the other one.
  const theme = one("theme");
  let isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = isDark ? "Light" : "Dark"; theme.setAttribute("aria-label", `Change to ${theme.textContent.toLowerCase()} colours`); };
  theme.onclick = () => { isDark = !isDark; document.documentElement.style.colorScheme = isDark ? "dark" : "light"; theme.setAttribute("aria-pressed", "true"); name(); draw(); };
  theme.hidden = false;
  name();

  // Choosers: one of the elements of a group is shown. Without this script all of them are.
  const show = (group, id) => all(`[data-of="${group}"]`).forEach((part) => { part.hidden = part.id !== id; });
  for (const input of all("[data-shows]")) {
    input.closest("[hidden]")?.removeAttribute("hidden");
    input.onchange = () => show(input.dataset.shows, input.value);
    if (input.type !== "radio" || input.checked) show(input.dataset.shows, input.value);
  }

  // Sorting: numbers begin with the largest, texts with the first; gaps stay last.
  const key = (row, column, isNumber) => {
    const cell = row.cells[column];
    return isNumber ? parseFloat(cell.dataset.k ?? cell.textContent) : cell.textContent.trim();
  };
  for (const button of all(".sortable thead button")) {
    button.onclick = () => {
      const head = button.parentElement, column = head.cellIndex, body = head.closest("table").tBodies[0];
      const isNumber = head.classList.contains("n");
      const up = head.ariaSort ? head.ariaSort === "descending" : !isNumber;
      for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [key(row, column, isNumber), row]);
      const gap = (value) => value === "" || Number.isNaN(value);
      rows.sort(([a], [b]) => gap(a) - gap(b) || (gap(a) ? 0 : (isNumber ? a - b : a.localeCompare(b, "en", { numeric: true })) * (up ? 1 : -1)));
      body.append(...rows.map(([, row]) => row));
    };
  }

  // Player.
  let draw = () => {};
  if (!one("data")) return;
  const data = JSON.parse(one("data").textContent);
  const BRIGHTEST = 4; // even shares at which a joint is as large as it gets
  const canvas = one("figure"), pen = canvas.getContext("2d");
  const play = one("play"), time = one("time"), turn = one("turn"), ofSplit = one("of-split"), ofRecording = one("of-recording");
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let now, points, shares, reach, isPlaying = false, isStopped = false, last = 0;

  const option = (text, value) => new Option(text, value);
  const put = (id, ...parts) => one(id).replaceChildren(...parts);
  const bold = (text) => { const b = document.createElement("b"); b.textContent = text; return b; };
  const tag = (isUnseen) => { const span = document.createElement("span"); span.className = `tag ${isUnseen ? "unseen" : "seen"}`; span.textContent = isUnseen ? "unseen class" : "seen class"; return span; };

  const at = (t) => { // joints of every body at a moment, between the two nearest frames
    const place = (t / 1000) * (now.frames - 1), before = Math.min(Math.floor(place), now.frames - 1), part = place - before;
    const after = Math.min(before + 1, now.frames - 1), joints = data.joints.length, found = [];
    for (let body = 0; body < now.bodies; body++) {
      found.push(data.joints.map((_, joint) => [0, 1, 2].map((c) => {
        const index = (frame) => ((body * now.frames + frame) * joints + joint) * 3 + c;
        return points[index(before)] * (1 - part) + points[index(after)] * part;
      })));
    }
    return found;
  };
  draw = () => {
    if (!now) return;
    const { width, height } = canvas, style = getComputedStyle(canvas), angle = (turn.value * Math.PI) / 180;
    const scale = Math.min(0.86 * height / reach.up, 0.9 * width / reach.across), ground = height / 2 + (scale * reach.up) / 2;
    // The sensor's x points to the person's right; whoever faces the camera has it on the viewer's left.
    const place = ([x, y, z]) => [width / 2 - scale * (x * Math.cos(angle) + z * Math.sin(angle)), ground - scale * y];
    pen.clearRect(0, 0, width, height);
    pen.lineCap = "round";
    pen.strokeStyle = style.borderTopColor;
    pen.lineWidth = 2;
    pen.beginPath(); pen.moveTo(0.06 * width, ground + 8); pen.lineTo(0.94 * width, ground + 8); pen.stroke();
    for (const body of at(+time.value)) {
      const spots = body.map(place);
      pen.strokeStyle = style.color;
      pen.lineWidth = 5;
      data.parents.forEach((parent, joint) => { pen.beginPath(); pen.moveTo(...spots[joint]); pen.lineTo(...spots[parent]); pen.stroke(); });
      spots.forEach((spot, joint) => {
        const share = Math.min(shares[joint] / BRIGHTEST, 1);
        pen.fillStyle = style.color;
        pen.beginPath(); pen.arc(...spot, 5, 0, 7); pen.fill();
        pen.fillStyle = style.outlineColor;
        pen.globalAlpha = Math.min(1, 2 * share ** 1.5);
        pen.beginPath(); pen.arc(...spot, 20 * Math.sqrt(share), 0, 7); pen.fill();
        pen.globalAlpha = 1;
      });
    }
  };
  const step = (moment) => {
    if (!isPlaying) return;
    if (last) time.value = (+time.value + (moment - last) / Math.max(now.seconds, 0.1)) % 1000;
    last = moment;
    draw();
    requestAnimationFrame(step);
  };
  const setPlaying = (wanted) => {
    if (isPlaying === wanted) return;
    isPlaying = wanted;
    last = 0;
    play.textContent = wanted ? "Pause" : "Play";
    play.setAttribute("aria-label", play.textContent);
    if (wanted) requestAnimationFrame(step);
  };
  const look = (entry) => {
    shares = entry.shares;
    const most = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
    const isEven = Math.max(...shares) - Math.min(...shares) < 0.02;
    put("looked", isEven ? `“${entry.label}” looks at every joint alike.` : `“${entry.label}” looks most at ${most.map((joint) => `${data.joints[joint]} (${shares[joint].toFixed(1)})`).join(", ")}; 1 is an even share. The joint prompts get ${entry.prompts.toFixed(0)} % of its attention.`);
    draw();
  };
  const choose = () => {
    now = data.splits[ofSplit.value][ofRecording.value];
    const bytes = Uint8Array.from(atob(now.points), (c) => c.charCodeAt(0));
    points = new Int16Array(bytes.buffer);
    reach = { up: 1, across: 1 };
    for (let k = 0; k < points.length; k += 3) {
      reach.up = Math.max(reach.up, points[k + 1]);
      reach.across = Math.max(reach.across, 2 * Math.hypot(points[k], points[k + 2]));
    }
    time.value = still ? 500 : 0;
    canvas.setAttribute("aria-label", `Stick figure of ${now.bodies === 1 ? "one person" : `${now.bodies} people`}: ${now.label}`);
    put("truth", "True class: ", bold(now.label), tag(now.unseen));
    put("asked", `Ranked among the ${now.candidates} ${now.unseen ? "unseen" : "seen"} classes`);
    put("verdict", "Among all classes, by the gate: ", bold(now.verdict), tag(now.verdictUnseen));
    put("ranked", ...now.ranked.map((entry, k) => {
      const label = document.createElement("label"), input = document.createElement("input"), output = document.createElement("output");
      const text = document.createElement("span");
      Object.assign(input, { type: "radio", name: "ranked", checked: k === 0, onchange: () => look(entry) });
      text.textContent = entry.label + (entry.label === now.label ? " ✓" : "");
      text.className = entry.label === now.label ? "right" : "";
      output.textContent = `${entry.probability.toFixed(1)} %`;
      label.style.setProperty("--bar", `${entry.probability}%`);
      label.append(input, text, output);
      return label;
    }));
    look(now.ranked[0]);
  };
  const list = () => {
    ofRecording.replaceChildren(...data.splits[ofSplit.value].map((entry, k) => option(`${entry.label} (${entry.name})`, k)));
    choose();
  };
  ofSplit.append(...Object.keys(data.splits).map((split) => option(split, split)));
  ofSplit.onchange = list;
  ofRecording.onchange = choose;
  play.onclick = () => { isStopped = isPlaying; setPlaying(!isPlaying); };
  time.oninput = () => { isStopped = true; setPlaying(false); draw(); };
  turn.oninput = draw;
  canvas.onpointermove = (event) => { if (event.buttons) { turn.value = +turn.value + event.movementX / 2; draw(); } };
  matchMedia("(prefers-color-scheme: dark)").onchange = () => draw();
  one("player").hidden = false;
  list();
  if (!still) {
    // It plays while it is in sight, unless somebody has stopped it.
    new IntersectionObserver(([entry]) => setPlaying(entry.isIntersecting && !isStopped)).observe(canvas);
  }
})();
