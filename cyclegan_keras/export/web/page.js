// The page: pictures come in, wait, are translated one after the other, shown and saved. What comes
// before this in the same script: `makeTranslator` and `zipped`.

const settings = JSON.parse(document.getElementById("settings").textContent);
const translate = makeTranslator(settings);
const $ = (id) => document.getElementById(id);
const pictures = []; // { name, file, url, width, height, results: { AB: …, ABA: … } }
let selected = null;
let working = false;

// ---------------------------------------------------------------- which translations are wanted

const way = () => document.querySelector("input[name=way]:checked").value;
const wayBack = () => way()[1] + way()[0];
const withBack = () => Boolean($("back")?.checked);
const keys = () => (withBack() ? [way(), way() + way()[0]] : [way()]);
const shownKey = () => (withBack() && $("show-back").checked ? keys()[1] : keys()[0]);
const nameOf = (domain) => settings.names[domain];
const arrowOf = (key) => [...key].map(nameOf).join(" → ");

// ---------------------------------------------------------------- pictures in

async function add(files) {
  const problems = [];
  const before = pictures.length;
  for (const file of files) {
    try {
      pictures.push(await opened(file));
    } catch (error) {
      problems.push(`${file.name}: ${error.message}`);
    }
  }
  showProblems(problems);
  if (pictures.length > before) select(pictures[before]);
  $("file").value = ""; // The same file may be chosen again.
  work();
}

async function opened(file) {
  if (!file.size) throw new Error("This file is empty, or it is a folder. Choose pictures.");
  if (file.size > settings.maxBytes) {
    throw new Error(`This file is too large: at most ${inMegabytes(settings.maxBytes)} MB.`);
  }
  const url = URL.createObjectURL(file);
  try {
    // The browser reads the size from the start of the file, before it decodes the pixels.
    const image = new Image();
    image.src = url;
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () =>
        reject(new Error("This is not a picture that your browser can read, or it is damaged."));
    });
    const { naturalWidth: width, naturalHeight: height } = image;
    if (!width || !height) throw new Error("This drawing has no size in pixels.");
    if (width * height > settings.maxPixels || Math.max(width, height) > settings.maxSide) {
      throw new Error(
        `This picture is too large: ${width} × ${height} pixels. At most ` +
          `${Math.floor(settings.maxPixels / 1e6)} megapixels, and ${settings.maxSide} on a side.`,
      );
    }
    return { name: file.name || "picture", file, url, width, height, results: {} };
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
}

const inMegabytes = (bytes) => Math.floor(bytes / 1e6);

function remove(picture) {
  const place = pictures.indexOf(picture);
  pictures.splice(place, 1);
  for (const { url } of [picture, ...Object.values(picture.results)]) URL.revokeObjectURL(url);
  select(pictures[Math.min(place, pictures.length - 1)] ?? null);
}

// ---------------------------------------------------------------- translating

function nextJob() {
  const order = selected ? [selected, ...pictures] : pictures;
  for (const picture of order) {
    for (const key of keys()) {
      const result = picture.results[key];
      if (result?.error) break; // There is no way back from there.
      if (!result) return { picture, key };
    }
  }
  return null;
}

async function work() {
  if (working) return;
  working = true;
  for (let job = nextJob(); job; job = nextJob()) {
    const { picture, key } = job;
    const report = (stage, share) => showProgress(picture, key, stage, share);
    report("Translating", 0);
    const start = performance.now();
    let result;
    try {
      const isBack = key.length > 2;
      const file = isBack ? picture.results[key.slice(0, 2)].blob : picture.file;
      const blob = await translate(file, isBack ? key.slice(1) : key, report);
      result = { blob, url: URL.createObjectURL(blob), seconds: (performance.now() - start) / 1000 };
    } catch (error) {
      result = { error: error.message };
    }
    if (pictures.includes(picture)) picture.results[key] = result;
    else if (result.url) URL.revokeObjectURL(result.url);
    show();
  }
  working = false;
  showProgress(null);
}

// ---------------------------------------------------------------- what is seen

function select(picture) {
  selected = picture;
  show();
}

function show() {
  document.body.classList.toggle("has-pictures", pictures.length > 0);
  showList();
  showSelected();
  const done = pictures.filter((picture) => picture.results[keys().at(-1)]?.blob).length;
  const failed = pictures.filter((picture) => keys().some((key) => picture.results[key]?.error));
  const parts = [`${done} of ${pictures.length} translated, ${arrowOf(keys().at(-1))}`];
  if (failed.length) parts.push(`${failed.length} failed`);
  $("status").textContent = pictures.length ? `${parts.join("; ")}.` : "";
  $("save-all").disabled = !saved().length;
}

function showList() {
  // Entries are kept, so that the keyboard's focus stays where it is.
  const list = $("list");
  const entries = new Map([...list.children].map((entry) => [entry.picture, entry]));
  for (const [picture, entry] of entries) if (!pictures.includes(picture)) entry.remove();
  for (const picture of pictures) {
    const entry = entries.get(picture) ?? newEntry(picture);
    const result = picture.results[keys()[0]];
    const state = result?.error ? "failed" : result ? "translated" : "waiting";
    const button = entry.firstChild;
    button.dataset.state = state;
    button.setAttribute("aria-label", `${picture.name}, ${state}`);
    button.setAttribute("aria-current", String(picture === selected));
    const source = result?.url ?? picture.url;
    if (button.firstChild.getAttribute("src") !== source) button.firstChild.src = source;
  }
}

function newEntry(picture) {
  const entry = document.createElement("li");
  entry.picture = picture;
  const button = document.createElement("button");
  button.type = "button";
  button.title = picture.name;
  const image = document.createElement("img");
  image.alt = "";
  image.decoding = "async";
  button.append(image);
  button.addEventListener("click", () => select(picture));
  entry.append(button);
  $("list").append(entry);
  return entry;
}

function showSelected() {
  $("viewer").hidden = !selected;
  if (!selected) return;
  const key = shownKey();
  const result = selected.results[key];
  const error = keys().map((each) => selected.results[each]?.error).find(Boolean);
  const { width, height, url, name } = selected;
  $("stage").style.setProperty("--width", width);
  $("stage").style.setProperty("--height", height);
  $("stage").classList.toggle("small", Math.max(width, height) < 300);
  setImage($("before"), url, `${name}, as it was`);
  setImage($("after"), result?.url, `${name}, ${arrowOf(key)}`);
  $("stage").classList.toggle("done", Boolean(result?.url));
  $("label-before").textContent = nameOf(key[0]);
  $("label-after").textContent = key.length > 2 ? `${nameOf(key[0])} again` : nameOf(key.at(-1));
  $("name").textContent = name;
  $("facts").textContent =
    `${width} × ${height} pixels` + (result?.seconds ? ` · ${result.seconds.toFixed(2)} s` : "");
  $("error").textContent = error ?? "";
  $("error").hidden = !error;
  $("which").hidden = !withBack();
  $("show-there-label").textContent = arrowOf(keys()[0]);
  $("show-back-label").textContent = arrowOf(way() + way()[0]);
  $("save").disabled = !result?.blob;
}

function setImage(image, source, words) {
  image.hidden = !source;
  if (!source) image.removeAttribute("src");
  else if (image.getAttribute("src") !== source) image.src = source;
  image.alt = words;
}

function showProgress(picture, key, stage, share) {
  $("progress").hidden = !picture;
  if (!picture) return;
  const number = pictures.indexOf(picture) + 1;
  $("doing").textContent = `${stage}: ${picture.name} (${number} of ${pictures.length})`;
  if (share) $("bar").value = share;
  else $("bar").removeAttribute("value"); // How long it takes is not known.
}

function showProblems(problems) {
  $("problems").hidden = !problems.length;
  $("problem-list").replaceChildren(
    ...problems.map((words) => {
      const item = document.createElement("li");
      item.textContent = words;
      return item;
    }),
  );
}

// ---------------------------------------------------------------- saving

function saved() {
  const names = new Set();
  return pictures.flatMap((picture) =>
    keys()
      .filter((key) => picture.results[key]?.blob)
      .map((key) => ({ name: freeName(picture, key, names), blob: picture.results[key].blob })),
  );
}

function freeName(picture, key, taken) {
  const stem = `${picture.name.replace(/\.[^.]*$/, "").replace(/[\\/:*?"<>|]/g, "_")}-${key}`;
  let name = `${stem}.png`;
  for (let number = 2; taken.has(name); number++) name = `${stem}-${number}.png`;
  taken.add(name);
  return name;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // Not at once: the browser has yet to read it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---------------------------------------------------------------- what people do

$("file").addEventListener("change", (event) => add([...event.target.files]));
document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  const files = [...event.dataTransfer.files];
  if (files.length) add(files);
  else showProblems(["What was dropped has no files. Save the picture first, and drop the file."]);
});
for (const input of document.querySelectorAll("input[name=way], #back, input[name=which]")) {
  input.addEventListener("change", () => {
    show();
    work();
  });
}
$("split").addEventListener("input", (event) => {
  $("stage").style.setProperty("--split", `${event.target.value}%`);
});
$("save").addEventListener("click", () => {
  const key = shownKey();
  save(selected.results[key].blob, freeName(selected, key, new Set()));
});
$("save-all").addEventListener("click", async () => {
  try {
    save(await zipped(saved()), `${settings.title}-${way()}.zip`.replace(/[\\/:*?"<>|]/g, "_"));
  } catch (error) {
    showProblems([error.message]);
  }
});
$("remove").addEventListener("click", () => remove(selected));
$("dismiss").addEventListener("click", () => showProblems([]));
window.addEventListener("beforeunload", (event) => {
  if (saved().length > 1) event.preventDefault(); // Translations would be lost.
});
show();
