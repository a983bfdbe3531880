// The page of the service. It uses nothing but the API that /api/openapi.json describes.
"use strict";

const $ = (id) => document.getElementById(id);
const RAW = [230, 150, 20], SMOOTHED = [0, 150, 150];
const PLOTS = [["warped_instability", "Flicker (warped instability)"], ["instability", "Instability"], ["iou", "IoU"]];
const COMMON = ["person", "car", "dog", "cat", "bus", "bicycle", "motorbike", "horse"];
const EXTRA = ["ffv1", "overlay", "side-by-side", "prores", "vp9", "png-alpha", "coco", "plots", "report"];

let models = [];
let job = null;        // the last status of the clip that is open
let metrics = null;    // its numbers, when it is stabilised
let version = 0;       // of the results, so that the browser's cache is not asked for old ones
let frame = 0;
let follower = null;
let playing = null;

// ── The service ────────────────────────────────────────────────────────────────

async function ask(path, options = {}) {
  const response = await fetch(path, options);
  if (response.status === 401) {
    await askToken();
    return ask(path, options);
  }
  if (!response.ok) {
    const problem = await response.json().catch(() => ({ detail: response.statusText, remedy: "try again" }));
    throw new Error(`${problem.detail}; ${problem.remedy}`);
  }
  return response.status === 204 ? null : response.json();
}

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function askToken() {
  $("ask").showModal();
  return new Promise((resolve) => $("ask").addEventListener("close", () => {
    // Pictures and downloads can send no header; a cookie of this site alone can.
    document.cookie = `steadymask_token=${$("token").value}; SameSite=Strict; path=/`;
    resolve();
  }, { once: true }));
}

function upload(file, onProgress) {
  const form = new FormData();
  form.append("video", file, file.name);
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onerror = () => reject(new Error("the connection broke; try again"));
    request.onabort = () => reject(new Error("cancelled"));
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
      if (request.status < 300) resolve(answer);
      else reject(new Error(`${answer.detail ?? request.statusText}; ${answer.remedy ?? "try again"}`));
    };
  });
  request.open("POST", "/api/upload");
  request.send(form);
  return { done, abort: () => request.abort() };
}

/** Follows a job until it is over. */
function follow(id, onStatus) {
  follower?.close();
  return new Promise((resolve, reject) => {
    follower = new EventSource(`/api/status/${id}`);
    follower.addEventListener("status", (event) => {
      const status = JSON.parse(event.data);
      onStatus(status);
      if (status.state === "done" || status.state === "failed") {
        follower.close();
        status.state === "done" ? resolve(status) : reject(new Error(status.error));
      }
    });
    // A restart of the service ends the stream; the browser connects again by itself.
    follower.onerror = () => follower.readyState === EventSource.CLOSED && reject(new Error("the job is gone; open the clip again"));
  });
}

// ── Saying what happens ───────────────────────────────────────────────────────

function say(text, isBad = false) {
  $("message").textContent = text;
  $("message").classList.toggle("bad", isBad);
}

function showProgress(percent, text, cancel = null) {
  $("progress").hidden = percent === null;
  if (percent !== null) $("progress").value = percent;
  $("cancel").hidden = !cancel;
  $("cancel").onclick = cancel;
  say(text);
}

const clock = (secs) => `${Math.floor(secs / 60)}:${String(Math.floor(secs % 60)).padStart(2, "0")}`;

function statusText(name, status) {
  if (status.state === "queued") return `${name}: ${status.jobs_before ?? 0} before it`;
  const rate = status.frames_per_sec ? ` · ${status.frames_per_sec.toFixed(1)} frames/s` : "";
  const left = status.left_secs ? ` · ${clock(status.left_secs)} left` : "";
  return `${name}: ${status.frames_done} / ${status.frames_total ?? "?"}${rate}${left}`;
}

// ── The panel ─────────────────────────────────────────────────────────────────

function fillClasses() {
  const model = models.find((model) => model.name === $("model").value);
  const names = (model?.classes ?? []).filter((name) => name !== "background");
  const box = (name) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "checkbox", name: "class", value: name });
    input.checked = name === (names.includes("person") ? "person" : names[0]);
    input.onchange = () => { metrics = null; update(); };
    label.append(input, name);
    return label;
  };
  const first = names.filter((name) => COMMON.includes(name)).sort((a, b) => COMMON.indexOf(a) - COMMON.indexOf(b)).slice(0, 5);
  const shown = first.length ? first : names.slice(0, 5);
  const rest = names.filter((name) => !shown.includes(name));
  $("classes").replaceChildren(...shown.map(box));
  $("more").replaceChildren(...rest.map(box));
  $("others").hidden = rest.length === 0;
  update();
}

const chosen = (name) => [...document.querySelectorAll(`input[name="${name}"]:checked`)].map((input) => input.value);

function settings() {
  const method = $("method").value;
  return {
    smooth: {
      auto: method === "auto",
      ...(method === "auto" ? {} : { method }),
      window: Number($("window").value),
      alpha: Number($("alpha").value),
      timing: chosen("timing")[0],
      motion: $("motion").checked ? "on" : "off",
    },
    clean_up: { threshold: Number($("threshold").value) },
    export: chosen("export"),
  };
}

function update() {
  const method = $("method").value;
  $("alpha-row").hidden = method !== "exponential";
  $("window-row").hidden = method === "exponential" || method === "auto";
  for (const output of document.querySelectorAll("output")) {
    const input = $(output.htmlFor.value);
    output.value = input.step < 1 ? Number(input.value).toFixed(2) : input.value;
  }
  const busy = job && (job.state === "queued" || job.state === "running");
  $("go").disabled = !job || busy || chosen("class").length === 0;
  $("hint").textContent = !job ? "Drop a video first." : busy ? "" :
    chosen("class").length === 0 ? "Choose a class." : metrics ? "Other settings need no network." : "";
  $("delete").hidden = !job;
}

// ── Clips ─────────────────────────────────────────────────────────────────────

async function openFile(file) {
  stopPlaying();
  try {
    const { done, abort } = upload(file, (loaded, total) => {
      const mb = (bytes) => (bytes / 1e6).toFixed(0);
      showProgress(100 * loaded / total, `Uploading ${file.name}: ${mb(loaded)} of ${mb(total)} MB`, abort);
    });
    const status = await done;
    showProgress(null, "Ready");
    await openJob(status);
    listJobs();
  } catch (error) {
    showProgress(null, "");
    say(error.message, true);
  }
}

async function openJob(status) {
  stopPlaying();
  job = status;
  metrics = null;
  frame = 0;
  version = Date.now();
  $("drop").hidden = true;
  $("work").hidden = false;
  $("numbers").hidden = true;
  $("downloads").replaceChildren();
  const { width, height, frames_per_sec } = job.video;
  $("clip").textContent = `${job.file_name} · ${width}×${height} · ${+frames_per_sec.toFixed(2)} frames/s`;
  setFrames(job.video.frames ?? 1);
  if (job.state === "queued" || job.state === "running") await run(() => job);
  else if (job.stage === "stabilize" && job.state === "done") await showResults();
  show();
  update();
}

async function listJobs() {
  const jobs = (await ask("/api/jobs")).reverse();
  const option = (status) => Object.assign(document.createElement("option"), {
    value: status.job_id, textContent: status.file_name, selected: status.job_id === job?.job_id,
  });
  $("jobs").replaceChildren(...(job ? [] : [new Option("Your clips", "")]), ...jobs.map(option));
  $("jobs").hidden = jobs.length === 0;
}

/** Runs a stage to its end and shows what came of it. */
async function run(begin, name = "Working") {
  try {
    job = await begin();
    update();
    const cancel = async () => {
      await ask(`/api/job/${job.job_id}`, { method: "DELETE" });
      follower?.close();
      closeJob("Cancelled");
    };
    job = await follow(job.job_id, (status) => {
      job = status;
      showProgress(status.percent, statusText(name, status), cancel);
    });
    showProgress(null, "Ready");
    if (job.stage === "stabilize") await showResults();
    return true;
  } catch (error) {
    showProgress(null, "");
    say(error.message, true);
    if (job) job = await ask(`/api/status/${job.job_id}`).catch(() => job);
    return false;
  } finally {
    update();
  }
}

async function stabilise() {
  const classes = chosen("class"), { job_id } = job;
  const segmented = await run(() => post("/api/segment", { job_id, model: $("model").value, classes }), "Network");
  if (segmented) await run(() => post("/api/stabilize", { job_id, ...settings() }), "Masks");
}

function closeJob(text) {
  stopPlaying();
  job = metrics = null;
  $("drop").hidden = false;
  $("work").hidden = true;
  $("clip").textContent = "";
  $("downloads").replaceChildren();
  showProgress(null, text);
  update();
  listJobs();
}

async function showResults() {
  metrics = await ask(`/api/metrics/${job.job_id}`);
  version = Date.now();
  const classes = [...new Set(metrics.rows.map((row) => row.class))];
  $("shown").replaceChildren(...classes.map((name) => new Option(name, name)));
  $("shown").hidden = classes.length < 2;
  setFrames(Math.max(...metrics.rows.map((row) => row.frame)) + 1);
  $("numbers").hidden = false;
  const results = await ask(`/api/results/${job.job_id}`);
  const link = (text, href) => Object.assign(document.createElement("a"), { textContent: text, href, download: "" });
  const single = results.files.filter((file) => file.files === null && !file.name.includes("/"));
  const megabytes = results.files.reduce((sum, file) => sum + file.bytes, 0) / 1e6;
  $("downloads").replaceChildren(
    ...single.slice(0, 6).map((file) => link(file.name, file.href)),
    link(`All files (ZIP, ${megabytes.toFixed(1)} MB)`, results.archive));
  drawNumbers();
  show();
}

// ── Frames ────────────────────────────────────────────────────────────────────

function setFrames(count) {
  $("frame").max = Math.max(0, count - 1);
  frame = Math.min(frame, count - 1);
  $("frame").value = frame;
}

const pictures = new Map();

/** A picture of the service, kept for a while. */
function picture(kind, index) {
  const shown = kind !== "picture" && $("shown").value ? `&class=${encodeURIComponent($("shown").value)}` : "";
  const url = `/api/frames/${job.job_id}/${kind}/${index}?v=${version}${shown}`;
  if (!pictures.has(url)) {
    const load = fetch(url).then(async (response) => {
      if (!response.ok) throw new Error((await response.json()).detail);
      return createImageBitmap(await response.blob());
    });
    load.catch(() => pictures.delete(url));
    pictures.set(url, load);
    if (pictures.size > 90) pictures.delete(pictures.keys().next().value);
  }
  return pictures.get(url);
}

/** Paints the mask and its outline onto the picture, as the window does. */
function paint(canvas, base, mask, colour) {
  Object.assign(canvas, { width: base.width, height: base.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (mask) {
    context.drawImage(mask, 0, 0);
    const set = context.getImageData(0, 0, base.width, base.height).data;
    context.drawImage(base, 0, 0);
    const image = context.getImageData(0, 0, base.width, base.height);
    const { width, height } = base, data = image.data;
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i += 4) {
        if (set[i] < 128) continue;
        const edge = (x > 0 && set[i - 4] < 128) || (x < width - 1 && set[i + 4] < 128) ||
          (y > 0 && set[i - 4 * width] < 128) || (y < height - 1 && set[i + 4 * width] < 128);
        const share = edge ? 1 : 0.4;
        for (let c = 0; c < 3; c++) data[i + c] += share * (colour[c] - data[i + c]);
      }
    }
    context.putImageData(image, 0, 0);
  } else {
    context.drawImage(base, 0, 0);
  }
}

let drawing = 0;

async function show() {
  if (!job) return;
  const turn = ++drawing, view = chosen("view")[0];
  const secs = metrics?.rows.find((row) => row.frame === frame)?.timestamp_secs ?? frame / job.video.frames_per_sec;
  $("place").textContent = `${clock(secs)}.${String(Math.round(secs % 1 * 1000)).padStart(3, "0")}  frame ${frame} of ${$("frame").max}`;
  $("right-side").hidden = !metrics || view === "difference" || view === "overlay";
  const name = (id, text, kind) => { $(id).textContent = text; $(id).className = kind; };
  try {
    if (!metrics) {
      const base = await picture("picture", frame);
      if (turn !== drawing) return;
      name("left-name", "Picture", "plain");
      paint($("left"), base);
    } else if (view === "difference" || view === "overlay") {
      const whole = await picture(view, frame);
      if (turn !== drawing) return;
      name("left-name", view === "overlay" ? "Smoothed" : "Difference: blue added, orange removed", view === "overlay" ? "smoothed" : "plain");
      paint($("left"), whole);
    } else {
      const wanted = [picture("raw", frame), picture("smoothed", frame)];
      if (view === "both") wanted.push(picture("picture", frame));
      const [raw, smoothed, base] = await Promise.all(wanted);
      if (turn !== drawing) return;
      name("left-name", "Raw", "raw");
      paint($("left"), base ?? raw, base && raw, RAW);
      paint($("right"), base ?? smoothed, base && smoothed, SMOOTHED);
    }
  } catch (error) {
    if (turn === drawing) say(error.message, true);
  }
  drawPlayhead();
}

function goTo(index) {
  frame = Math.max(0, Math.min(Number($("frame").max), index));
  $("frame").value = frame;
  return show();
}

function stopPlaying() {
  clearTimeout(playing);
  playing = null;
  $("play").textContent = "▶";
}

async function play() {
  if (playing) return stopPlaying();
  $("play").textContent = "❚❚";
  const step = async () => {
    const due = performance.now() + 1000 / Math.min(30, job.video.frames_per_sec);
    await goTo(frame >= $("frame").max ? 0 : frame + 1);
    if (playing) playing = setTimeout(step, Math.max(0, due - performance.now()));
  };
  playing = setTimeout(step, 0);
}

// ── Numbers ───────────────────────────────────────────────────────────────────

const ofClass = () => metrics.rows.filter((row) => !$("shown").value || row.class === $("shown").value);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function surface(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  Object.assign(canvas, { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  return { context, width, height };
}

const MARGIN = { left: 32, right: 6, top: 6, bottom: 18 };

function plot(canvas, rows, metric) {
  const { context, width, height } = surface(canvas);
  const values = rows.flatMap((row) => [row[`${metric}_raw`], row[`${metric}_smoothed`]]).filter((value) => value !== null);
  const top = metric === "iou" ? 1 : Math.max(0.05, ...values) * 1.05;
  const last = Math.max(1, rows.at(-1).frame);
  const x = (value) => MARGIN.left + (width - MARGIN.left - MARGIN.right) * value / last;
  const y = (value) => height - MARGIN.bottom - (height - MARGIN.top - MARGIN.bottom) * value / top;
  context.strokeStyle = colour("line");
  context.fillStyle = colour("quiet");
  context.font = "11px system-ui";
  context.textAlign = "right";
  for (const value of [0, top / 2, top]) {
    context.beginPath();
    context.moveTo(MARGIN.left, y(value));
    context.lineTo(width - MARGIN.right, y(value));
    context.stroke();
    context.fillText(value.toFixed(top < 0.2 ? 2 : 1), MARGIN.left - 4, y(value) + 4);
  }
  context.textAlign = "center";
  for (const value of [0, Math.round(last / 2), last]) context.fillText(value, Math.min(x(value), width - 14), height - 4);
  for (const [side, dash] of [["raw", [4, 2]], ["smoothed", []]]) {
    context.strokeStyle = colour(side);
    context.setLineDash(dash);
    context.lineWidth = 1.4;
    context.beginPath();
    let isDown = false;
    for (const row of rows) {
      const value = row[`${metric}_${side}`];
      if (value === null) { isDown = false; continue; }
      isDown ? context.lineTo(x(row.frame), y(value)) : context.moveTo(x(row.frame), y(value));
      isDown = true;
    }
    context.stroke();
  }
  context.setLineDash([]);
  context.strokeStyle = colour("text");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x(frame), MARGIN.top);
  context.lineTo(x(frame), height - MARGIN.bottom);
  context.stroke();
  canvas.onclick = (event) => goTo(Math.round(last * (event.offsetX - MARGIN.left) / (width - MARGIN.left - MARGIN.right)));
}

const flicker = (row, side) => row[`warped_instability_${side}`] ?? row[`instability_${side}`] ?? 0;

function drawHeat() {
  const { context, width, height } = surface($("heat"));
  if (!metrics) return;
  const rows = ofClass(), count = Number($("frame").max) + 1;
  const most = Math.max(0.05, ...rows.map((row) => flicker(row, "raw")));
  ["raw", "smoothed"].forEach((side, at) => {
    context.fillStyle = colour(side);
    for (const row of rows) {
      context.globalAlpha = 0.12 + 0.88 * Math.min(1, flicker(row, side) / most);
      context.fillRect(width * row.frame / count, at * height / 2, Math.max(1, width / count) + 0.3, height / 2 - 2);
    }
  });
  context.globalAlpha = 1;
  context.fillStyle = colour("text");
  context.fillRect(width * (frame + 0.5) / count - 1, 0, 2, height);
}

function drawPlayhead() {
  drawHeat();
  if (!metrics) return;
  const rows = ofClass();
  PLOTS.forEach(([metric], at) => plot($("plots").children[at].querySelector("canvas"), rows, metric));
}

function drawNumbers() {
  $("plots").replaceChildren(...PLOTS.map(([, title]) => {
    const box = document.createElement("div");
    box.append(title, document.createElement("canvas"));
    return box;
  }));
  const summary = metrics.report.summaries.find((summary) => !$("shown").value || summary.class === $("shown").value);
  const mean = (metric, side) => summary.metrics[metric]?.[side]?.mean;
  const less = (metric) => {
    const [raw, smoothed] = [mean(metric, "raw"), mean(metric, "smoothed")];
    if (!raw || smoothed === undefined) return "–";
    const percent = Math.round(100 * (raw - smoothed) / raw);
    return percent >= 0 ? `${percent} % less` : `${-percent} % more`;
  };
  const lag = summary.lag ? `${(Math.round(summary.lag.frames * 10) / 10 || 0).toFixed(1)} frames` : "–";
  const lines = [["Flicker", less("warped_instability")], ["Instability", less("instability")], ["Lag", lag],
    ["Agreement", summary.agreement?.mean.toFixed(2) ?? "–"], ["Frames", summary.frames]];
  const cells = lines.flatMap(([name, value]) => {
    const isBad = name === "Lag" && Math.abs(summary.lag?.frames ?? 0) > 0.5;
    return [Object.assign(document.createElement("span"), { textContent: name }),
      Object.assign(document.createElement("b"), { textContent: value, className: isBad ? "bad" : "" })];
  });
  const worst = document.createElement("div");
  worst.className = "worst";
  const peaks = summary.metrics.warped_instability?.raw?.worst ?? summary.metrics.instability?.raw?.worst ?? [];
  worst.append("Worst frames", document.createElement("br"), ...peaks.slice(0, 6).map((peak) => {
    const button = Object.assign(document.createElement("button"), { textContent: peak.frame });
    button.onclick = () => goTo(peak.frame);
    return button;
  }));
  if (metrics.report.tuned) worst.append(document.createElement("br"), `Chosen: ${metrics.report.tuned}`);
  $("summary").replaceChildren(...cells, worst);
}

function nextFlicker() {
  if (!metrics) return;
  const rows = ofClass(), sorted = rows.map((row) => flicker(row, "raw")).sort((a, b) => b - a);
  const level = sorted[Math.floor(sorted.length / 20)];
  const found = rows.find((row) => row.frame > frame && flicker(row, "raw") >= level) ?? rows.find((row) => flicker(row, "raw") >= level);
  if (found) goTo(found.frame);
}

// ── Wiring ────────────────────────────────────────────────────────────────────

function wire() {
  const choose = () => $("file").click();
  $("open").onclick = choose;
  $("drop").onclick = choose;
  $("drop").onkeydown = (event) => (event.key === "Enter" || event.key === " ") && choose();
  $("file").onchange = () => { if ($("file").files[0]) openFile($("file").files[0]); $("file").value = ""; };
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  document.addEventListener("dragleave", (event) => event.relatedTarget === null && document.body.classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
  });
  $("model").onchange = fillClasses;
  for (const id of ["method", "alpha", "window", "threshold", "motion"]) $(id).oninput = update;
  $("go").onclick = stabilise;
  $("delete").onclick = async () => {
    await ask(`/api/job/${job.job_id}`, { method: "DELETE" }).catch(() => null);
    closeJob("Deleted");
  };
  $("jobs").onchange = async () => $("jobs").value && openJob(await ask(`/api/status/${$("jobs").value}`));
  for (const input of document.querySelectorAll('input[name="view"]')) input.onchange = show;
  $("shown").onchange = () => { drawNumbers(); show(); };
  $("frame").oninput = () => goTo(Number($("frame").value));
  $("back").onclick = () => goTo(frame - 1);
  $("next").onclick = () => goTo(frame + 1);
  $("play").onclick = play;
  $("peak").onclick = nextFlicker;
  $("heat").onclick = (event) => goTo(Math.floor((Number($("frame").max) + 1) * event.offsetX / $("heat").clientWidth));
  document.addEventListener("keydown", (event) => {
    if (!job || event.target.matches("input, select, button, summary")) return;
    const keys = { ArrowLeft: () => goTo(frame - 1), ArrowRight: () => goTo(frame + 1), " ": play, n: nextFlicker };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  window.addEventListener("resize", drawPlayhead);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPlayhead);
}

async function start() {
  wire();
  update();
  try {
    const about = await ask("/api");
    models = await ask("/api/models");
    $("model").replaceChildren(...models.map((model) => new Option(model.name, model.name, model.is_default, model.is_default)));
    if (models.length === 0) say("No network is installed; run «steadymask models setup»", true);
    const label = (kind) => {
      const box = document.createElement("label");
      box.title = kind.files;
      box.append(Object.assign(document.createElement("input"), { type: "checkbox", name: "export", value: kind.name }), kind.summary);
      return box;
    };
    $("exports").replaceChildren(...EXTRA.map((name) => about.exports.find((kind) => kind.name === name)).filter(Boolean).map(label));
    fillClasses();
    await listJobs();
  } catch (error) {
    say(error.message, true);
  }
}

start();
