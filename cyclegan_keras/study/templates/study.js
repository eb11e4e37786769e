"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const { timing } = study;
  const SIDES = ["left", "right"];
  // A frame that comes that early is the last one before the time is up.
  const HALF_FRAME = 8;
  const element = (id) => document.getElementById(id);
  const canvases = { left: element("image-left"), right: element("image-right") };
  const truths = { left: element("truth-left"), right: element("truth-right") };
  const buttons = { left: element("left"), right: element("right") };

  // Whether the page was left since a trial began. An image is not seen then, and time goes on.
  let wasLeft = false;
  let isUnderWay = false;

  /** A random whole number below a limit, each equally likely. */
  function below(limit) {
    const word = new Uint32Array(1);
    const end = 2 ** 32 - (2 ** 32 % limit);
    do crypto.getRandomValues(word); while (word[0] >= end);
    return word[0] % limit;
  }

  function shuffled(list) {
    const copy = [...list];
    for (let last = copy.length - 1; last > 0; last -= 1) {
      const other = below(last + 1);
      [copy[last], copy[other]] = [copy[other], copy[last]];
    }
    return copy;
  }

  function show(id) {
    for (const section of document.querySelectorAll("section")) section.hidden = section.id !== id;
  }

  /** The time at which the next frame begins; what is changed right after is seen in it. */
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));

  /** Waits for the frame in which a time since another frame is up, and returns when it begins. */
  async function after(milliseconds, start) {
    let now = start;
    while (now - start < milliseconds - HALF_FRAME) now = await frame();
    return now;
  }

  const pressed = (button) =>
    new Promise((resolve) => button.addEventListener("click", resolve, { once: true }));

  /** Decodes everything before the start, so that showing an image takes no time. */
  async function decoded() {
    const tiles = [];
    const [height, width] = study.size;
    const [down, across] = study.pitch;
    const places = [...study.practice.map((trial) => trial.pair), ...study.trials].flat();
    const count = Math.max(...places) + 1;
    for (const [number, address] of study.sheets.entries()) {
      const sheet = new Image();
      sheet.src = address;
      await sheet.decode();
      for (let place = 0; place < study.perSheet; place += 1) {
        if (number * study.perSheet + place >= count) break;
        const x = (place % study.columns) * across;
        const y = Math.floor(place / study.columns) * down;
        tiles.push(await createImageBitmap(sheet, x, y, width, height));
      }
    }
    return tiles;
  }

  function answer() {
    return new Promise((resolve) => {
      const stop = new AbortController();
      const choose = (side) => {
        stop.abort();
        for (const each of SIDES) buttons[each].disabled = true;
        resolve(side);
      };
      for (const side of SIDES) {
        buttons[side].disabled = false;
        buttons[side].addEventListener("click", () => choose(side), { signal: stop.signal });
      }
      document.addEventListener(
        "keydown",
        (event) => {
          const side = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
          // A key that is held down answers once; with a modifier it is the browser's.
          const isOther = event.repeat || event.altKey || event.ctrlKey || event.metaKey;
          if (side === undefined || isOther) return;
          event.preventDefault();
          choose(side);
        },
        { signal: stop.signal },
      );
    });
  }

  async function play(pair, tiles) {
    const [left, right] = below(2) ? pair : [pair[1], pair[0]];
    const shown = { left, right };
    for (const side of SIDES) canvases[side].getContext("2d").drawImage(tiles[shown[side]], 0, 0);
    element("question").textContent = "";
    wasLeft = document.hidden;
    const exposures = [];
    let now = await after(timing.before, await frame());
    for (const side of SIDES) {
      const start = now;
      canvases[side].classList.add("shown");
      now = await after(timing.exposure, start);
      canvases[side].classList.remove("shown");
      exposures.push(now - start);
      now = await after(side === "left" ? timing.between : timing.answer, now);
    }
    const hasLeft = wasLeft;
    element("question").textContent = study.hasReal ? "Which one is real?" : "Which one looks more real?";
    const asked = performance.now();
    const chosen = await answer();
    return {
      left,
      right,
      chosen,
      exposure_ms: exposures.map((time) => Math.round(time * 10) / 10),
      left_page: hasLeft,
      answer_ms: Math.round(performance.now() - asked),
    };
  }

  async function tell(result, real) {
    element("question").textContent = result[result.chosen] === real ? "Right." : "Wrong.";
    for (const side of SIDES) {
      truths[side].textContent = result[side] === real ? "real" : "made by a computer";
      canvases[side].classList.add("shown");
    }
    await after(timing.feedback, await frame());
    for (const side of SIDES) {
      truths[side].textContent = "";
      canvases[side].classList.remove("shown");
    }
  }

  function progress(done, total, words) {
    element("count").textContent = `${words} ${done + 1} of ${total}`;
    element("progress").max = total;
    element("progress").value = done;
  }

  function save(trials) {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    const participant = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const result = {
      format: study.format,
      version: study.version,
      study: study.study,
      participant,
      screen: {
        pixel_ratio: window.devicePixelRatio,
        image_width_px: Math.round(canvases.left.getBoundingClientRect().width),
      },
      trials,
    };
    const blob = new Blob([JSON.stringify(result, null, 1), "\n"], { type: "application/json" });
    const link = element("save");
    link.href = URL.createObjectURL(blob);
    link.download = `result-${study.study.slice(0, 6)}-${participant.slice(0, 6)}.json`;
    element("file").textContent = link.download;
    return link;
  }

  async function run() {
    const tiles = await decoded();
    const [height, width] = study.size;
    for (const side of SIDES) {
      canvases[side].width = width;
      canvases[side].height = height;
    }
    const start = element("start");
    start.disabled = false;
    start.textContent = "Start";
    start.focus();
    await pressed(start);
    isUnderWay = true;
    show("trial");
    const practice = shuffled(study.practice);
    for (const [number, trial] of practice.entries()) {
      progress(number, practice.length, "Practice");
      const result = await play(trial.pair, tiles);
      if (trial.real !== null) await tell(result, trial.real);
    }
    if (practice.length) {
      show("break");
      element("continue").focus();
      await pressed(element("continue"));
      show("trial");
    }
    const results = [];
    const trials = shuffled(study.trials);
    for (const [number, pair] of trials.entries()) {
      progress(number, trials.length, "Pair");
      results.push(await play(pair, tiles));
    }
    const link = save(results);
    show("end");
    link.focus();
    link.click();
    isUnderWay = false;
  }

  document.addEventListener("visibilitychange", () => {
    wasLeft ||= document.hidden;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isUnderWay) event.preventDefault(); // The browser asks whether the answers may be lost.
  });
  run().catch((error) => {
    element("reason").textContent = `(${error})`;
    isUnderWay = false;
    show("failure");
  });
})();
